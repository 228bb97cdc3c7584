"""What the page lets people hear is what the run heard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from benchmark.audio.corrupt import CORRUPTIONS
from benchmark.bookkeeping.audio_examples import SECONDS, write_examples
from benchmark.interfaces import UserError
from benchmark.store.artefacts import Store, content_key

RATE, HZ = 16_000, 440.0
KEY = content_key({"corpus": "a tone"})


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, Path]:
    """A results folder and a data folder: noise to learn from, then a tone of 440 Hz to be tested on."""
    tone = 0.5 * np.sin(2 * np.pi * HZ * np.arange(8 * RATE) / RATE)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8 * RATE)
    length = [len(noise), len(tone)]
    index = {"id": ["noise", "tone"], "split": ["train", "test"], "offset": [0, length[0]], "length": length}
    data, out = tmp_path / "data", tmp_path / "out"
    with Store(data).writing("waveforms", KEY, {"corpus": "a tone"}) as draft:
        np.save(draft.path / "mix.npy", np.round(32767 * np.concatenate([noise, tone])).astype(np.int16))
        pd.DataFrame(index).to_parquet(draft.path / "tracks.parquet")
    out.mkdir()
    (out / "run.json").write_text(json.dumps({"sound": {"rendered_scores": KEY}}))
    return out, data


def test_a_test_clip_is_heard_clean_and_under_each_corruption(run: tuple[Path, Path]) -> None:
    out, data = run
    write_examples(out, data)
    examples = json.loads((out / "audio" / "index.json").read_text())
    assert [e["title"] for e in examples] == ["rendered_scores", *(f"rendered_scores: {name}" for name in CORRUPTIONS)]
    heard, rate = soundfile.read(out / "audio" / examples[0]["file"])
    assert rate == RATE
    assert len(heard) / rate == pytest.approx(SECONDS, abs=0.2)
    spectrum = np.abs(np.fft.rfft(heard))
    assert spectrum.argmax() * rate / len(heard) == pytest.approx(HZ, abs=1)
    assert sum(path.stat().st_size for path in (out / "audio").iterdir()) < 60_000 * len(examples)


def test_each_augmentation_is_heard_once(run: tuple[Path, Path]) -> None:
    """Rows with the same chain share their examples; who hears the crop as it is has none; pitch is where it went."""
    out, data = run
    shifted = {"pitch_shift_cents": 500, "noise_p": 0, "filter_p": 0}
    rows = {"byol": ("byol", shifted), "simclr": ("simclr", shifted), "vicreg": ("vicreg", {}), "cola": ("cola", {})}
    notes = {name: {"method": method, "options": options} for name, (method, options) in rows.items()}
    notes |= {"random": {"method": "random"}, "gone": {"method": "no_such_plugin"}}
    notes |= {"old": {"method": "dino", "options": {"an option of": "last year"}}}
    (out / "run.json").write_text(json.dumps({"sound": {"rendered_scores": KEY}, "strategies": notes}))
    write_examples(out, data)
    examples = json.loads((out / "audio" / "index.json").read_text())
    titles = [e["title"].removeprefix("rendered_scores as ") for e in examples if " as " in e["title"]]
    assert titles == ["byol hears it, 1", "byol hears it, 2", "vicreg hears it, 1", "vicreg hears it, 2"]
    assert "augmented for byol, simclr, on" in examples[1]["text"]
    found = []
    for example in examples[1:3]:
        heard, rate = soundfile.read(out / "audio" / example["file"])
        found.append(np.abs(np.fft.rfft(heard)).argmax() * rate / len(heard))
    cents = 1200 * np.log2(np.array(found) / HZ)
    assert (np.abs(cents) < 510).all()
    assert (np.abs(cents) > 20).any(), cents
    assert found[0] != pytest.approx(found[1], rel=0.005), "each draw is another"


def test_old_examples_do_not_stay(run: tuple[Path, Path]) -> None:
    out, data = run
    (out / "audio").mkdir()
    (out / "audio" / "99.mp3").write_bytes(b"of another run")
    write_examples(out, data)
    assert not (out / "audio" / "99.mp3").exists()


def test_audio_that_is_not_there_is_named(run: tuple[Path, Path], tmp_path: Path) -> None:
    out, _ = run
    with pytest.raises(UserError, match=r"does not have the audio of rendered_scores.*--data-dir"):
        write_examples(out, tmp_path / "elsewhere")
    (out / "run.json").write_text("{}")
    with pytest.raises(UserError, match="names no audio"):
        write_examples(out, tmp_path)

"""The second SoundFont: another font, found or refused; the same clips, at the same levels, and nothing out of tune.

A font written here, whose sound is known, stands for any; with FluidR3 on the system, so does that one (the tests of
notes, drums and stems in test_scores.py also hear it).
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import TINY_GRID
from helpers.forked import quick
from tiny_soundfont import CHORUS, PAN, REVERB, write_font

from benchmark.corpora.rendered import soundfonts
from benchmark.corpora.rendered.audition import pitch_of
from benchmark.corpora.rendered.catalog import order
from benchmark.corpora.rendered.scores import RenderedScores
from benchmark.corpora.rendered.second_font import RenderedScoresSecondFont
from benchmark.corpora.rendered.soundfonts import SECOND_FONT, first_font, second_font, soundfont
from benchmark.corpora.rendered.synthesis import SAMPLE_RATE, midi_bytes, play
from benchmark.corpora.rendered.works import reading
from benchmark.corpora.rendered.works.groups import group_works
from benchmark.corpora.rendered.works.work import Work
from benchmark.interfaces import UserError

CHORD = [(0.0, 1.5, pitch, 90) for pitch in (48, 55, 64, 72)]
SENDS = {CHORUS: 600, REVERB: 800, PAN: -300}


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    font = write_font(tmp_path / "tiny.sf2")
    monkeypatch.setenv(SECOND_FONT, str(font))
    return font


@pytest.fixture
def no_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECOND_FONT, raising=False)
    monkeypatch.setattr(soundfonts, "SYSTEM_FONTS", ())


@pytest.fixture(scope="module")
def first(works: list[Work], tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    """Test clips of the tiny rendered scores, of these works, and the folder of their notes."""
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "read_works", lambda reader: works)
        tracks = RenderedScores().catalog(folder, RenderedScores.sizes["tiny"])
    return tracks[tracks["split"] == "test"].reset_index(drop=True), folder


def _catalog(works: list[Work], folder: Path) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "read_works", lambda reader: works)
        return RenderedScoresSecondFont().catalog(folder, RenderedScoresSecondFont.sizes["tiny"])


# Which font


def test_the_first_font_is_played_as_ever() -> None:
    """Byte for byte as versions 4 of the scores and 3 of the notes hear it: whoever changes it, bumps them."""
    played = hashlib.sha256(soundfont(first_font())).hexdigest()
    assert played == "84bb7d2830960c7477117aee55b3b138a9e2cd4fd890ccff058dfd8e16488847"


def test_the_named_font_is_taken(tiny: Path) -> None:
    assert second_font() == tiny


@pytest.mark.usefixtures("no_system")
def test_without_any_font_the_corpus_says_how_to_get_one() -> None:
    assert second_font() is None
    with pytest.raises(UserError, match=r"no second SoundFont on this system; get one .*fluid-soundfont-gm"):
        RenderedScoresSecondFont().fingerprint()


def _other_edition(path: Path) -> None:
    """TimGM6mb under another name, as Debian has it: another file, the same recordings."""
    path.write_bytes(first_font().read_bytes().replace(b"TimGM6mb\0", b"TimGM6m2\0", 1))


FAULTY: dict[str, tuple[Any, str]] = {
    "absent": (lambda path: None, "no such file"),
    "text": (lambda path: path.write_text("TimGM6mb, in words"), "not a SoundFont"),
    "sf3": (lambda path: write_font(path, version=3), "compressed sf3"),
    "half": (lambda path: path.write_bytes(write_font(path).read_bytes()[:9000]), "cut off"),
    "first": (lambda path: path.write_bytes(first_font().read_bytes()), "not another font"),
    "edition": (_other_edition, "not another font"),
}


@pytest.mark.parametrize(("make", "fault"), FAULTY.values(), ids=FAULTY)
def test_a_font_that_cannot_be_the_second_is_refused(
    make: Any, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "font.sf2"
    make(path)
    monkeypatch.setenv(SECOND_FONT, str(path))
    with pytest.raises(UserError, match=f"{SECOND_FONT}=.*{fault}"):
        second_font()


@pytest.mark.usefixtures("no_system")
def test_the_system_font_is_the_first_one_that_is_another_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's default-GM.sf2 is TimGM6mb, if that is all that is installed: then there is no second font."""
    found = (tmp_path / "absent.sf2", tmp_path / "default-GM.sf2", tmp_path / "other.sf2")
    _other_edition(found[1])
    monkeypatch.setattr(soundfonts, "SYSTEM_FONTS", found)
    assert second_font() is None
    write_font(found[2], name=b"a name that is read at last ")
    soundfonts._fault.cache_clear()
    assert second_font() == found[2]


def test_the_fingerprint_is_of_the_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prints = []
    for name in (b"one ", b"two ", b"one "):
        font = write_font(tmp_path / f"{len(prints)}.sf2", name=name)
        monkeypatch.setenv(SECOND_FONT, str(font))
        prints.append(RenderedScoresSecondFont().fingerprint())
        assert prints[-1]["soundfont"] == hashlib.sha256(font.read_bytes()).hexdigest()
    assert prints[0] == prints[2] != prints[1]
    assert prints[0].items() > RenderedScores().fingerprint().items()


# How it sounds


def _raw(font: Path) -> np.ndarray:
    import midirenderer

    return soundfile.read(
        io.BytesIO(midirenderer.render_wave_from(font.read_bytes(), midi_bytes([(CHORD, 0, False)])))
    )[0]


@pytest.mark.parametrize("where", ["sends", "preset_sends"])
def test_a_font_is_played_dry_and_without_pan(where: str, tmp_path: Path) -> None:
    """Whether its instruments or its presets say otherwise."""
    plain, wet = write_font(tmp_path / "plain.sf2"), write_font(tmp_path / "wet.sf2", **{where: SENDS})
    assert np.abs(_raw(wet) - _raw(plain)).max() > 0.01
    heard = play([(CHORD, 0, False), (CHORD, 1, False)], font=wet)
    np.testing.assert_array_equal(heard, play([(CHORD, 0, False), (CHORD, 1, False)], font=plain))
    assert np.abs(play([(CHORD, 0, False), ([], 0, False)], font=wet)[1]).max() < 2e-5


@pytest.mark.parametrize("away", [-12, 0, 1, 12])
def test_yin_hears_the_pitch_also_where_it_is_not_the_written_one(away: int) -> None:
    time = np.arange(int(0.35 * SAMPLE_RATE)) / SAMPLE_RATE
    for written in range(36, 85, 3):
        hz = 440 * 2 ** ((written + away - 69) / 12)
        partials = [np.sin(2 * np.pi * k * hz * time + k) / k for k in range(1, 12) if k * hz < SAMPLE_RATE / 2]
        heard = pitch_of(np.sum(partials, axis=0).astype(np.float32), written)
        assert heard == pytest.approx(written + away, abs=0.2)


FALSE = {
    "semitone": ({"root": 70}, r"program \d+ is off by -1\.0 semitones"),
    "octave": ({"root": 57}, r"program \d+ is off by \+12\.0 semitones"),
    "holes": ({"keys": (0, 60)}, r"program \d+ is silent at 61, "),
    "drums": ({"keys": (41, 127)}, r"drum 35 is silent"),
}


@pytest.mark.parametrize(("fault", "message"), FALSE.values(), ids=FALSE)
def test_a_font_that_makes_labels_false_is_refused(
    fault: dict[str, Any], message: str, works: list[Work], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECOND_FONT, str(write_font(tmp_path / "false.sf2", **fault)))
    with pytest.raises(UserError, match=message):
        _catalog(works, tmp_path)


# The corpus


@pytest.mark.usefixtures("tiny")
def test_its_clips_are_the_test_clips(first: tuple[pd.DataFrame, Path], works: list[Work], tmp_path: Path) -> None:
    clips = _catalog(works, tmp_path)
    pd.testing.assert_frame_equal(clips, first[0][: len(clips)])
    assert len(clips) == RenderedScoresSecondFont.sizes["tiny"]


def test_its_clips_are_the_test_clips_of_every_size_in_their_order(works: list[Work]) -> None:
    groups, version = group_works(works), RenderedScores.info.version
    drawn = {
        c: list(order(works, groups, version, list(c.counts.values())))
        for c in (RenderedScores, RenderedScoresSecondFont)
    }
    for name, size in RenderedScores.sizes.items():
        clips = [clip for clip in drawn[RenderedScores][:size] if clip.split == "test"]
        assert clips == drawn[RenderedScoresSecondFont][: RenderedScoresSecondFont.sizes[name]]


def _dbfs(sound: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.square(sound / 32767).mean())))


def _assert_same_level_other_sound(tracks: pd.DataFrame, folder: Path) -> None:
    pairs = zip(RenderedScores().render(tracks, folder), RenderedScoresSecondFont().render(tracks, folder), strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(other["mix"], np.sum([other[s] for s in RenderedScores.stems], axis=0))
        limited = max(np.abs(sounds["mix"]).max() for sounds in (one, other)) > 0.89 * 32767  # peaks would clip
        assert limited or _dbfs(other["mix"]) == pytest.approx(_dbfs(one["mix"]), abs=0.05)
        assert abs(np.corrcoef(one["mix"], other["mix"])[0, 1]) < 0.6
        for stem in RenderedScores.stems:  # a room colors each instrument in its own way
            assert one[stem].any() == other[stem].any()
            assert not one[stem].any() or abs(_dbfs(other[stem]) - _dbfs(one[stem])) < 6


@pytest.mark.usefixtures("tiny")
def test_clips_are_as_loud_and_sound_otherwise(first: tuple[pd.DataFrame, Path]) -> None:
    _assert_same_level_other_sound(first[0][:6], first[1])


def test_clips_of_the_system_font_are_as_loud_and_sound_otherwise(first: tuple[pd.DataFrame, Path]) -> None:
    if second_font() is None:
        pytest.skip("no second SoundFont on this system")
    _assert_same_level_other_sound(first[0][:6], first[1])


@pytest.mark.long
def test_the_system_font_can_play_the_test_clips(works: list[Work], tmp_path: Path) -> None:
    if second_font() is None:
        pytest.skip("no second SoundFont on this system")
    assert len(_catalog(works, tmp_path)) == RenderedScoresSecondFont.sizes["tiny"]


def test_a_run_scores_the_second_font_beside_the_clean_clips(data_dir: Path, tmp_path: Path) -> None:
    """A font that plays every program alike: the key is still heard, the instrument is not."""
    font = write_font(tmp_path / "alike.sf2")
    text = TINY_GRID.replace("[constant, random, mfcc, simclr, byol]", "[mfcc]").replace("0.1: 2, ", "")
    (tmp_path / "grid.yaml").write_text(
        text.replace("[instrument, key, metre, beat]", "[instrument, key]") + "corruptions: {second_font: [1]}\n"
    )
    args = ("--grid", str(tmp_path / "grid.yaml"), "--data-dir", str(data_dir), "--out", str(tmp_path / "out"))
    done = quick("run", *args, env={"MIR_PRETEXT_SOUNDFONT": str(font)})
    assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    by = scores.set_index(["task", "metric", "corruption"])["value"]
    assert by["instrument", "accuracy", "second_font"] < by["instrument", "accuracy", ""] - 0.15
    assert by["key", "weighted_score", "second_font"] > by["key", "weighted_score", ""] - 0.2
    assert ("instrument", "accuracy_unseen_programs", "second_font") not in by.index, "there are test clips alone"

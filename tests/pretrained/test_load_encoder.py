"""Audio of any kind is heard as the benchmark hears it, and long audio a few windows at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
import pytest
import soundfile
import soxr
import torch
from torch import Tensor

import benchmark
from benchmark.audio.decode import decode
from benchmark.encoders.exported import shipped
from benchmark.interfaces import Info, UserError
from benchmark.modules import Encoder
from benchmark.pretrained.encoder import PretrainedEncoder
from benchmark.probing.embed import BATCH, WINDOW_SECONDS

RATE = 16_000


class Ramp(Encoder):
    """20 frames a second, each the mean of its 50 ms: a value says where it is from. It notes what it is given."""

    info = Info("ramp", "Ramp", "this test")
    sample_rate, embedding_dim, frame_rate = RATE, 1, 20.0

    def __init__(self) -> None:
        super().__init__()
        self.given: list[tuple[int, ...]] = []

    def features(self, waveform: Tensor) -> Tensor:
        self.given.append(tuple(waveform.shape))
        return torch.nn.functional.pad(waveform, (0, 800))[:, None]

    def body(self, features: Tensor) -> Tensor:
        return features[:, 0].unfold(1, 800, 800).mean(dim=2)[..., None]


def noise(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 0) -> Any:
    sound = 0.1 * np.random.default_rng(seed).standard_normal((channels, round(seconds * rate)))
    return sound[0] if channels == 1 else sound


@pytest.fixture(scope="module")
def mfcc() -> PretrainedEncoder:
    return benchmark.load_encoder("mfcc_chroma")


@pytest.mark.parametrize("name", shipped())
def test_what_ships_hears(name: str) -> None:
    found = benchmark.load_encoder(name).embed(noise(1.0), RATE)
    assert np.isfinite(found).all()
    assert found.std() > 0


def test_three_minutes_go_through_a_few_windows_at_a_time() -> None:
    encoder, seconds = Ramp(), 183.7
    mine, ramp = PretrainedEncoder(encoder), np.linspace(-0.9, 0.9, round(seconds * RATE))
    frames, times = mine.embed(ramp, RATE, frames=True)
    assert sum(count for count, _ in encoder.given) == np.ceil(seconds / WINDOW_SECONDS)
    assert max(count for count, _ in encoder.given) <= BATCH
    assert max(samples for _, samples in encoder.given) <= WINDOW_SECONDS * RATE
    assert frames.shape == (int(seconds * 20), 1)
    np.testing.assert_allclose(times, np.arange(len(frames)) / 20)
    slope = 1.8 / seconds
    off = np.abs(frames[:, 0] - (-0.9 + slope * (times + 0.025)))
    assert (off > 1.01 * slope / 20).sum() <= len(encoder.given) * BATCH, "the last of a window may reach beyond it"
    assert np.quantile(off, 0.99) <= 1.01 * slope / 20, "no drift: a frame is where the clock says, to a frame"
    clip = mine.embed(ramp, RATE)
    assert clip[0] == pytest.approx(0, abs=1e-3)


def test_any_rate_and_channels_are_their_mono_resampling(mfcc: PretrainedEncoder) -> None:
    stereo = noise(5.0, 44_100, 2)
    mono = soxr.resample(stereo.mean(axis=0), 44_100, RATE)
    ours, theirs = mfcc.embed(stereo, 44_100), mfcc.embed(mono, RATE)
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())
    assert np.abs(mfcc.embed(stereo[0], 44_100) - theirs).max() > 0.01 * np.abs(theirs).max(), "this would be seen"


@pytest.mark.parametrize("given", [np.float32, np.float64, torch.float32, torch.float64])
def test_arrays_and_files_are_one(mfcc: PretrainedEncoder, tmp_path: Path, given: Any) -> None:
    sound = noise(2.0, 22_050, 2)
    soundfile.write(tmp_path / "a.wav", sound.T, 22_050, subtype="DOUBLE")
    array = torch.tensor(sound, dtype=given) if isinstance(given, torch.dtype) else sound.astype(given)
    ours = mfcc.embed(array, 22_050)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, mfcc.embed(tmp_path / "a.wav"))
    np.testing.assert_array_equal(ours, mfcc.embed(str(tmp_path / "a.wav")))
    np.testing.assert_array_equal(ours, mfcc.embed(decode(tmp_path / "a.wav", RATE)["mix"], RATE))  # type: ignore[index]
    whole, part = mfcc.embed(tmp_path / "a.wav", frames=True)
    assert whole.shape == (50, 33)
    assert part[-1] == pytest.approx(49 / 25)


def test_a_folder_gives_each_file_and_says_what_it_leaves_out(mfcc: PretrainedEncoder, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    paths = [tmp_path / "b.FLAC", tmp_path / "deep" / "er" / "a.wav"]
    for seed, path in enumerate(paths):
        soundfile.write(path, noise(1.0, seed=seed), RATE, format=path.suffix[1:].upper())
    (tmp_path / "cover.jpg").write_bytes(b"no sound")
    (tmp_path / "._b.wav").write_bytes(b"a Mac's note")
    (tmp_path / "c.wav").write_bytes(b"broken")
    with pytest.warns(UserWarning, match=r"left out: .*c\.wav: cannot be read"):
        found = dict(mfcc.embed(tmp_path))
    assert list(found) == paths
    np.testing.assert_array_equal(found[paths[1]], mfcc.embed(paths[1]))
    with pytest.raises(UserError, match="no audio in it"):
        mfcc.embed(tmp_path / "empty")


def test_a_folder_says_which_formats_it_leaves_out(mfcc: PretrainedEncoder, tmp_path: Path) -> None:
    for name in ("a.m4a", "b.M4A", "c.wma", ".d.wma"):
        (tmp_path / name).write_bytes(b"no matter")
    with pytest.raises(UserError, match=r"no audio in it that is read here \(2 \.m4a, 1 \.wma must be converted\)"):
        mfcc.embed(tmp_path)
    soundfile.write(tmp_path / "e.wav", noise(1.0), RATE)
    with pytest.warns(UserWarning, match=r"left out: 3 files of .* not read here: 2 \.m4a, 1 \.wma") as warned:
        assert [path.name for path, _ in mfcc.embed(tmp_path)] == ["e.wav"]
    assert warned[0].filename == __file__


@pytest.mark.parametrize(("asked", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_in_the_other_form_of_unicode_is_found(
    mfcc: PretrainedEncoder, tmp_path: Path, asked: Literal["NFC", "NFD"], there: Literal["NFC", "NFD"]
) -> None:
    path = tmp_path / normalize(there, "Björk") / normalize(there, "Jóga.wav")
    path.parent.mkdir()
    soundfile.write(path, noise(1.0), RATE)
    expected = mfcc.embed(path)
    np.testing.assert_array_equal(
        mfcc.embed(tmp_path / normalize(asked, "Björk") / normalize(asked, "Jóga.wav")), expected
    )
    (found,) = mfcc.embed(str(tmp_path / normalize(asked, "Björk")))
    np.testing.assert_array_equal(found[1], expected)


def test_any_length_has_an_embedding(mfcc: PretrainedEncoder) -> None:
    for samples in (1, 100, 2049, RATE, 10 * RATE, 10 * RATE + 1):
        clip, (frames, _) = (mfcc.embed(noise(10.1)[:samples], RATE, frames=kind) for kind in (False, True))
        assert clip.shape == (66,)
        assert np.isfinite(clip).all()
        assert len(frames) == max(1, samples * 25 // RATE)


def test_what_is_odd_is_said_once_and_heard(mfcc: PretrainedEncoder) -> None:
    with pytest.warns(UserWarning, match="turned down instead of clipped"):
        mfcc.embed(20 * noise(1.0), RATE)
    with pytest.warns(UserWarning, match="cancel each other"):
        mfcc.embed(np.stack([noise(1.0), -noise(1.0)]), RATE)
    with pytest.warns(UserWarning, match="level of one bit"):
        assert np.isfinite(mfcc.embed(np.zeros(RATE), RATE)).all()


@pytest.mark.parametrize(
    ("audio", "sr", "told"),
    [
        (np.zeros((RATE, 2)), RATE, "transpose it"),
        (np.zeros((1, 1, RATE)), RATE, "give samples"),
        (np.zeros(0), RATE, "at least one"),
        (np.zeros(1), 96_000, "shorter than a sample"),
        (np.zeros(RATE), None, "say the sample rate"),
        (np.zeros(RATE), 16, "say the sample rate"),
        (np.full(RATE, np.nan), RATE, "NaN"),
        (np.zeros(RATE, np.int64), RATE, "floats within"),
        (np.array(["a"]), RATE, "give one path, of a file or of a folder, or an array"),
        (["a.wav", Path("b.wav")], None, "list is no audio: give one path"),
        ([[0.0, 0.1], [0.0]], RATE, "list is no audio"),
        (None, None, "NoneType is no audio"),
        (np.zeros(RATE), str(RATE), "sr='16000': say the sample rate of the audio as a number"),
        ("no/such.wav", None, r"^no/such\.wav: there is no such file"),
        ("no/süch.wav", None, r"^no/süch\.wav: there is no such file"),
        ("no/such.wav", RATE, "its own sample rate"),
    ],
)
def test_what_is_no_audio_is_refused(mfcc: PretrainedEncoder, audio: Any, sr: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        mfcc.embed(audio, sr)


def test_nothing_in_it_learns() -> None:
    mine = benchmark.load_encoder("informed")
    encoder = PretrainedEncoder(benchmark.registry.encoders.get("cnn_small")()).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    first, second = (encoder.embed(noise(2.0), RATE) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert not any(p.requires_grad for p in encoder.parameters())
    assert mine.embed(noise(2.0), RATE).shape == (204,)

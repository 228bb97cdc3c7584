"""Files with known faults: what can be heard is heard, and what was wrong is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmark.audio.decode import decode
from benchmark.interfaces import Odd, Unreadable

RATE, SECONDS = 16_000, 3.0
T = np.arange(round(RATE * SECONDS)) / RATE
TONE = 0.5 * np.sin(2 * np.pi * 440 * T)


def written(path: Path, sound: Any = TONE, rate: int = RATE, **options: Any) -> Path:
    soundfile.write(path, sound, rate, **options)
    return path


def kinds(sound: Any) -> list[str]:
    return [verdict.kind for verdict in sound.verdicts] if isinstance(sound, Odd) else []


def level(sound: Any) -> float:
    return float(np.sqrt(np.square(sound["mix"] / 32767).mean()))


@pytest.mark.parametrize("ending", ["wav", "aiff", "au", "flac", "ogg", "mp3"])
def test_of_whole_files_nothing_is_said(ending: str, tmp_path: Path) -> None:
    for sound in (TONE, np.stack([TONE, 0.5 * TONE], axis=1), 0.98 * np.sign(TONE)):  # coded squares overshoot
        heard = decode(written(tmp_path / f"a.{ending}", sound), RATE)
        assert isinstance(heard, dict)
        assert kinds(heard) == []
        assert len(heard["mix"]) == len(T)


@pytest.mark.parametrize("ending", ["wav", "aiff", "au", "flac", "mp3"])
def test_a_truncated_file_is_heard_to_where_it_breaks_off(ending: str, tmp_path: Path) -> None:
    noise = 0.2 * np.random.default_rng(0).standard_normal(len(T))  # whose bytes are spread evenly
    path = written(tmp_path / f"a.{ending}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    heard = decode(path, RATE)
    assert isinstance(heard, Odd)
    assert kinds(heard) == ["truncated"]
    assert "of 3.0 s are there" in heard.verdicts[0].what
    assert len(heard["mix"]) / RATE == pytest.approx(SECONDS / 2, abs=0.6)
    assert len(decode(path, RATE, 0.2, 0.5)["mix"]) == RATE / 2, "an excerpt before the break is whole"
    assert kinds(decode(path, RATE, 0.2, 0.5)) == []
    assert kinds(decode(path, RATE, 0.5, 2.0)) == ["truncated"], "and one across it is not"


def test_annotations_far_beyond_the_end_are_another_file_s(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    assert decode(path, RATE, reach=30.0) == Unreadable("lasts 3.0 s, and is annotated up to 30.0 s", "truncated")
    assert isinstance(decode(path, RATE, reach=3.5), dict), "other editions end a little earlier"


def without_length(path: Path) -> Path:
    """As written into a pipe, whose writer cannot go back to the header."""
    data = bytearray(path.read_bytes())
    if path.suffix == ".flac":
        data[21] &= 0xF0
        data[22:26] = bytes(4)
    else:
        at = data.find(b"data") + 4
        data[4:8] = data[at : at + 4] = b"\xff" * 4
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("ending", ["flac", "wav"])
def test_a_stream_without_a_length_is_heard_to_its_end(ending: str, tmp_path: Path) -> None:
    whole = decode(written(tmp_path / f"a.{ending}"), RATE)
    heard = decode(without_length(tmp_path / f"a.{ending}"), RATE)
    assert kinds(heard) == ["unknown length"]
    np.testing.assert_array_equal(heard["mix"], whole["mix"])
    part = decode(tmp_path / f"a.{ending}", RATE, 1.0, 0.5)
    np.testing.assert_array_equal(part["mix"], whole["mix"][RATE : 3 * RATE // 2])


def test_an_ogg_stream_without_its_last_page_is_heard_as_far_as_it_goes(tmp_path: Path) -> None:
    """Only that page says how long it is."""
    path = written(tmp_path / "a.ogg", 0.2 * np.random.default_rng(0).standard_normal(len(T)))
    path.write_bytes(path.read_bytes()[: 2 * path.stat().st_size // 3])
    heard = decode(path, RATE)
    assert kinds(heard) == ["unknown length"]
    assert RATE / 2 < len(heard["mix"]) < len(T)


def test_an_mp3_without_a_length_promises_none(tmp_path: Path) -> None:
    """libsndfile guesses from the first frame's bit rate: three times as long, of this one."""
    quiet = 1e-4 * np.random.default_rng(0).standard_normal(10 * RATE)
    sound = np.concatenate([quiet, 2000 * quiet])
    path = written(tmp_path / "a.mp3", sound, bitrate_mode="VARIABLE", compression_level=0.5)
    data = path.read_bytes()
    path.write_bytes(data[data.find(data[:2], 4) :])
    assert soundfile.info(path).duration > 40
    heard = decode(path, RATE)
    assert kinds(heard) == ["unknown length"]
    assert len(heard["mix"]) / RATE == pytest.approx(20, abs=0.2)


def test_channels_that_cancel_leave_the_louder_one(tmp_path: Path) -> None:
    heard = decode(written(tmp_path / "a.wav", np.stack([0.95 * TONE, -TONE], axis=1)), RATE)
    assert kinds(heard) == ["canceled"]
    assert "channel 2" in heard.verdicts[0].what
    assert level(heard) == pytest.approx(0.5 / 2**0.5, rel=0.01)
    beside = decode(written(tmp_path / "b.wav", np.stack([TONE, 0 * TONE], axis=1)), RATE)
    assert kinds(beside) == [], "one silent channel cancels nothing"
    assert level(beside) == pytest.approx(0.25 / 2**0.5, rel=0.01)


@pytest.mark.parametrize("gain", [3.0, 32768.0])
def test_floats_beyond_one_are_turned_down_and_no_square_waves(gain: float, tmp_path: Path) -> None:
    heard = decode(written(tmp_path / "a.wav", gain * TONE, subtype="FLOAT"), RATE)
    assert kinds(heard) == ["rescaled"]
    spectrum = np.abs(np.fft.rfft(heard["mix"]))
    assert spectrum[int(3 * 440 * SECONDS)] < 1e-3 * spectrum[int(440 * SECONDS)], "clipped, it has odd harmonics"


def test_silence_is_said_and_what_is_no_sound_is_none(tmp_path: Path) -> None:
    assert kinds(decode(written(tmp_path / "a.wav", 0 * TONE), RATE)) == ["silent"]
    nan = decode(written(tmp_path / "b.wav", np.nan * TONE, subtype="FLOAT"), RATE)
    assert nan == Unreadable("holds NaN or infinity")
    assert isinstance(decode(written(tmp_path / "c.wav", TONE[:500]), RATE), Unreadable)
    assert decode(written(tmp_path / "d.wav", TONE, 10), RATE) == Unreadable("its header says 10 Hz")
    assert isinstance(decode(tmp_path / "not there.wav", RATE), Unreadable)

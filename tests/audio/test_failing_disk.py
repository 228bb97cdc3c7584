"""What is damaged is told from what cannot be read at the moment."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmark import files
from benchmark.audio.decode import decode
from benchmark.interfaces import Unreadable

RATE = 16_000


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.0))


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE), RATE)
    return path


def test_a_file_whose_disk_fails_is_no_unreadable_track(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.symlink_to("/proc/self/mem")  # its first page is an input/output error
    with pytest.raises(OSError, match="Input/output error") as caught:
        decode(path, RATE)
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(path))


def test_a_file_without_permission_is_no_unreadable_track(tone: Path) -> None:
    with tempfile.TemporaryDirectory() as open_to_all:
        path = Path(shutil.copy(tone, open_to_all))
        path.chmod(0)
        path.parent.chmod(0o755)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)  # root may read anything
        try:
            with pytest.raises(PermissionError, match=r"tone\.wav"):
                decode(path, RATE)
        finally:
            if root:
                os.seteuid(0)


def test_a_disk_that_fails_in_the_midst_is_no_short_track(tone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libsndfile takes it for the end of the file."""
    whole, real = decode(tone, RATE), soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *args, **options: real(*args, **options)[:4000])
    opened, times = Path.open, []

    def failing(path: Path, *args: object) -> object:
        times.append(path)
        if len(times) == 2:
            monkeypatch.setattr(soundfile.SoundFile, "read", real)  # the disk is back
            return opened(path, *args)  # type: ignore[arg-type]
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(Path, "open", failing)
    assert np.array_equal(decode(tone, RATE)["mix"], whole["mix"])
    assert len(times) == 2


def test_damage_stays_damage(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(bytes(4000))
    for name in ("noise.wav", "absent.wav"):
        assert isinstance(decode(tmp_path / name, RATE), Unreadable)

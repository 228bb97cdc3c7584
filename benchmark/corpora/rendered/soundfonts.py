"""The SoundFonts: the pip package's, which renders everything, and a second one that the system may have."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmark.interfaces import UserError

SECOND_FONT = "MIR_PRETEXT_SOUNDFONT"
#: where the packages of Debian and Ubuntu, Fedora, and Arch put General MIDI SoundFonts; the first that is another
#: font than ours is taken
SYSTEM_FONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/soundfonts/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf2/default-GM.sf2"),
    Path("/usr/share/soundfonts/default.sf2"),
)
HOW_TO_GET = f"get one (apt-get install fluid-soundfont-gm), or name its .sf2 file in {SECOND_FONT}"

#: generators that are set to zero: chorus and reverb sends (the room is ours), and pan
_NEUTRAL = (15, 16, 17)
#: instruments' generators, and those that presets add to them
_GENERATORS = (b"igen", b"pgen")
#: format 2.1, section 7.10
_SAMPLE_HEADER = np.dtype([("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("rest", "V18")])


def first_font() -> Path:
    """TimGM6mb.sf2, as the pip package pretty_midi ships it (found without importing it)."""
    spec = importlib.util.find_spec("pretty_midi")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "TimGM6mb.sf2"


def second_font() -> Path | None:
    """The SoundFont that MIR_PRETEXT_SOUNDFONT names, else one of the system's, else None.

    Raises:
        UserError: the one that is named is not there, cannot be played, or is the first one again.
    """
    named = os.environ.get(SECOND_FONT)
    if named:
        font = Path(named).expanduser().absolute()
        fault = _fault(font)
        if fault:
            raise UserError(f"{SECOND_FONT}={named}: {fault}; {HOW_TO_GET}")
        return font
    return next((path for path in SYSTEM_FONTS if path.is_file() and not _fault(path)), None)


@lru_cache(maxsize=8)
def digest(font: Path) -> str:
    """SHA-256 of the file."""
    with font.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=2)
def soundfont(font: Path) -> bytes:
    """A font as it is played: dry, and without pan."""
    content = bytearray(font.read_bytes())
    for name, start, size in _chunks(memoryview(content)):
        if name in _GENERATORS:  # pairs (generator, amount)
            table = np.frombuffer(content, "<u2", size // 2, start).reshape(-1, 2)
            table[np.isin(table[:, 0], _NEUTRAL), 1] = 0
    return bytes(content)


@lru_cache(maxsize=8)
def _fault(font: Path) -> str:
    """Why a font cannot be the second one; empty if it can."""
    if not font.is_file():
        return "there is no such file"
    try:
        return _unfit(memoryview(font.read_bytes()))
    except (OSError, LookupError, ValueError, RecursionError) as error:
        return f"this is not a SoundFont that can be read ({error})"


def _unfit(content: memoryview) -> str:
    if (bytes(content[:4]), bytes(content[8:12])) != (b"RIFF", b"sfbk"):
        return "this is not a SoundFont"
    if len(content) < 8 + int.from_bytes(content[4:8], "little"):
        return "the file is cut off"
    if bytes(_chunk(content, b"ifil")[:2]) != b"\x02\x00":
        return "not of SoundFont format 2 (the compressed sf3 is not played)"
    recordings = _recordings(content)
    # by its recordings, not as a file: distributions package other editions of TimGM6mb
    if len(recordings & _recordings(memoryview(first_font().read_bytes()))) > len(recordings) / 10:
        return "it has the recordings of TimGM6mb, which renders everything else: it is not another font"
    return ""


def _recordings(content: memoryview) -> set[str]:
    """Hashes of a font's samples."""
    headers = np.frombuffer(_chunk(content, b"shdr"), _SAMPLE_HEADER)[:-1]  # the last one says "end of samples"
    samples, spans = _chunk(content, b"smpl"), zip(headers["start"].tolist(), headers["end"].tolist(), strict=True)
    return {hashlib.sha256(samples[2 * start : 2 * end]).hexdigest() for start, end in spans}


def _chunk(content: memoryview, wanted: bytes) -> memoryview:
    for name, start, size in _chunks(content):
        if name == wanted:
            return content[start : start + size]
    raise LookupError(f"no {wanted.decode()} in it")


def _chunks(content: memoryview, start: int = 12, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, size) of each RIFF chunk, those within lists as well.

    Their names also occur by chance among the samples: they cannot be searched for.
    """
    end = len(content) if end is None else end
    while start + 8 <= end:
        name, size = bytes(content[start : start + 4]), int.from_bytes(content[start + 4 : start + 8], "little")
        if name == b"LIST":
            yield from _chunks(content, start + 12, start + 8 + size)
        else:
            yield name, start + 8, size
        start += 8 + size + size % 2

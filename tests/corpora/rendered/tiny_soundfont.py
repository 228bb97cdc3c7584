"""A SoundFont written from the format's specification (2.1), so that what it should sound like is known.

One looped sawtooth, which every program and drum plays.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

#: generators: pan, chorus and reverb sends, key range, sample, sample modes, instrument
CHORUS, REVERB, PAN, INSTRUMENT, KEYS, SAMPLE, MODES = 15, 16, 17, 41, 43, 53, 54
RATE, PERIOD = 44_100, 100


def write_font(
    path: Path,
    root: int = 69,
    keys: tuple[int, int] = (0, 127),
    sends: dict[int, int] | None = None,
    preset_sends: dict[int, int] | None = None,
    version: int = 2,
    name: bytes = b"tiny",
) -> Path:
    """Write a font.

    Args:
        root: key at which its sample (441 Hz) is said to sound: 69 is true.
        keys: lowest and highest that sound.
        sends: more generators of its instrument; `preset_sends`: of its presets.
        version: of the format.
    """
    partials = np.arange(1, 20)[:, None]
    wave = (np.sin(2 * np.pi * partials * np.arange(50 * PERIOD) / PERIOD) / partials).sum(axis=0)
    samples = np.concatenate([np.round(wave * 12_000), np.zeros(46)]).astype("<i2").tobytes()
    presets = [(program, 0) for program in range(128)] + [(0, 128)]
    preset_generators = [*(preset_sends or {}).items(), (INSTRUMENT, 0)]
    each = len(preset_generators)
    generators = [(KEYS, keys[0] | keys[1] << 8), *(sends or {}).items(), (MODES, 1), (SAMPLE, 0)]
    tables = {
        b"phdr": [struct.pack("<20sHHHIII", b"saw", p, bank, i, 0, 0, 0) for i, (p, bank) in enumerate(presets)]
        + [struct.pack("<20sHHHIII", b"EOP", 0, 0, len(presets), 0, 0, 0)],
        b"pbag": [struct.pack("<HH", i * each, 0) for i in range(len(presets) + 1)],
        b"pmod": [bytes(10)],
        b"pgen": [_generator(*g) for g in preset_generators * len(presets)] + [bytes(4)],
        b"inst": [struct.pack("<20sH", b"saw", 0), struct.pack("<20sH", b"EOI", 1)],
        b"ibag": [struct.pack("<HH", 0, 0), struct.pack("<HH", len(generators), 0)],
        b"imod": [bytes(10)],
        b"igen": [_generator(*g) for g in generators] + [bytes(4)],
        b"shdr": [
            struct.pack("<20s5IBbHH", b"saw", 0, 50 * PERIOD, PERIOD, 40 * PERIOD, RATE, root, -4, 0, 1),
            struct.pack("<20s5IBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
        ],
    }
    info = _chunk(b"ifil", struct.pack("<HH", version, 1)) + _chunk(b"isng", b"EMU8000\0") + _chunk(b"INAM", name)
    pdta = b"".join(_chunk(kind, b"".join(rows)) for kind, rows in tables.items())
    lists = _list(b"INFO", info) + _list(b"sdta", _chunk(b"smpl", samples)) + _list(b"pdta", pdta)
    path.write_bytes(_chunk(b"RIFF", b"sfbk" + lists))
    return path


def _generator(kind: int, amount: int) -> bytes:
    return struct.pack("<HH", kind, amount & 0xFFFF)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _list(name: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", name + content)

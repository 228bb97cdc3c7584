"""MIR-1K and MedleyDB in miniature."""

from __future__ import annotations

from pathlib import Path

from trees.files import music, written

SINGERS = (
    *("Ani", "Kenshin", "abjones", "amy", "annar", "ariel", "bobon", "bug", "davidson", "fdps"),
    *("geniusturtle", "heycat", "jmzen", "khair", "leon", "stool", "tammy", "titon", "yifen"),
)
MELODY1 = "Annotations/Melody_Annotations/MELODY1"


def write_mir_1k(root: Path, *labels: str) -> list[str]:
    """Two clips of each singer, whose labels take turns; returns their names."""
    names = [f"{singer}_{clip}" for singer in SINGERS for clip in ("1_01", "12_03")]
    for i, name in enumerate(names):
        written(root / f"mir_1k/PitchLabel/{name}.pv", labels[i % len(labels)])
    return names


def mir_1k(root: Path) -> None:
    """Half a second without voice, then a tone that every other clip has higher."""
    rest = "0\r\n" * 25
    for i, name in enumerate(write_mir_1k(root, rest + "57.0\r\n" * 35, rest + "62.0\r\n" * 35)):
        tone = 440 * 2 ** ((62 - 69) / 12) if i % 2 else 220.0
        music(root / f"mir_1k/Wavfile/{name}.wav", (*[0.0] * 5, *[tone] * 7), 1.2, 16_000, channels=2)


def write_medleydb(root: Path, layout: str, songs: tuple[str, ...], rows: int = 100) -> None:
    """A melody that rises by 1 Hz per row, between a rest at the beginning and one at the end."""
    for song in songs:
        lines = [f"{i * 256 / 44100},{0.0 if i < 10 or i > 0.8 * rows else 220.0 + i}" for i in range(rows)]
        written(root / f"medleydb_melody/{layout}/{song}_MELODY1.csv", "\n".join(lines) + "\n")


def medleydb_melody(root: Path) -> None:
    """Sixty artists with a song each."""
    songs = tuple(f"Artist{i}_Song" for i in range(60))
    write_medleydb(root, MELODY1, songs, rows=220)
    rising = [220.0 + i for i in range(221)]
    for song in songs:
        music(root / f"medleydb_melody/Audio/{song}/{song}_MIX.wav", rising, 221 * 256 / 44100, channels=2)

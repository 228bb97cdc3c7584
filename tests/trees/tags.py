"""MagnaTagATune and MTG-Jamendo in miniature."""

from __future__ import annotations

from pathlib import Path

from benchmark.corpora.datasets.tags.mtg_jamendo import FIELDS, MTGJamendo
from tasks.mtat_tags import MTATTags
from trees.files import music, parts, pick, written

#: a clip's number, path, artist and tags
Clip = tuple[int, str, str, list[str]]
#: 188 names, the 50 in the middle and in another order than the task's
MTAT_NAMES = ["singer", "duet", *sorted(MTATTags.classes), *(f"rare {i}" for i in range(136))]


def write_mtat(home: Path, clips: list[Clip]) -> None:
    """Both files, every cell quoted."""
    quoted = lambda cells: "\t".join(f'"{cell}"' for cell in cells)  # noqa: E731
    lines = [quoted(["clip_id", *MTAT_NAMES, "mp3_path"])]
    info = [quoted(["clip_id", "track_number", "title", "artist", "album", "url", "original_url", "mp3_path"])]
    for clip, path, artist, tags in clips:
        assert set(tags) <= set(MTAT_NAMES)
        lines.append(quoted([clip, *(int(name in tags) for name in MTAT_NAMES), path]))
        if artist:
            info.append(quoted([clip, 1, "NA", artist, "", "", "", path]))
    info.append(quoted([1, 1, "never tagged", "Somebody", "", "", "", ""]))
    written(home / "annotations_final.csv", "\n".join(lines) + "\n")
    written(home / "clip_info_final.csv", "\n".join(info) + "\n")


def mtat(root: Path) -> None:
    """Every other test clip by an artist of training, one without a tag, one tag that all have."""
    folders = {"train": "08b", "val": "c", "test": "def"}
    clips: list[Clip] = []
    for i, split in enumerate(parts(12, 6, 9)):
        artist = f"Artist {i % 4}" if split == "train" or i % 2 else f"Newcomer {i}"
        path = f"{folders[split][i % len(folders[split])]}/somebody-album-{i:02}-title-0-29.mp3"
        tags = ["guitar" if pick(i, 2) else "synth", *["slow"] * (i % 3 == 0), "classical"]
        clips.append((10 + i, path, artist, [] if i == 26 else tags))
        music(root / "mtat" / path, 880 if pick(i, 2) else 220, rate=16_000)
    write_mtat(root / "mtat", clips)


def write_jamendo(home: Path, lines: dict[str, list[str]], fold: int = 0) -> None:
    """A file for each subset and part, of the lines under the name `SUBSET-PART`."""
    for subset in MTGJamendo.subsets.values():
        for part in ("train", "validation", "test"):
            name = f"data/splits/split-{fold}/autotagging_{subset}-{part}.tsv"
            written(home / name, "\n".join(["\t".join(FIELDS), *lines.get(f"{subset}-{part}", [])]) + "\n")


def mtg_jamendo(root: Path) -> None:
    """Every fourth track has no mood; `genre---chanson` is not among the top 50."""
    lines: dict[str, list[str]] = {}
    for i, split in enumerate(parts(16, 8, 8)):
        genres = [f"genre---{'rock' if pick(i, 2) else 'ambient'}", *["genre---chanson"] * (i % 3 == 0)]
        instruments = [f"instrument---{'piano' if pick(i, 2) else 'guitar'}", *["instrument---voice"] * (i % 3 == 1)]
        moods = [] if i % 4 == 3 else [f"mood/theme---{'happy' if pick(i, 2) else 'film'}"]
        top = [tag for tag in (*genres, *instruments, *moods) if tag != "genre---chanson"]
        number = 948 + 7 * i
        start = f"track_{number:07}\tartist_{i:06}\talbum_{i:06}\t{number % 100:02}/{number}.mp3\t126.5"
        part = "validation" if split == "val" else split
        for subset, tags in (("genre", genres), ("instrument", instruments), ("moodtheme", moods), ("top50tags", top)):
            if tags:
                lines.setdefault(f"{subset}-{part}", []).append("\t".join([start, *tags]))
        music(root / f"mtg_jamendo/audio-low/{number % 100:02}/{number}.low.mp3", 880 if pick(i, 2) else 220)
    write_jamendo(root / "mtg_jamendo", lines)

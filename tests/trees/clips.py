"""OpenMIC, IRMAS, EmoMusic and VocalSet in miniature."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from string import ascii_uppercase

from trees.files import music, pick, written

OPENMIC_METADATA = (
    "track_id,album_id,album_title,album_url,artist_id,artist_name,artist_url,artist_website,license_image_file,"
    "license_image_file_large,license_parent_id,license_title,license_url,tags,track_bit_rate,track_comments,"
    "track_composer,track_copyright_c,track_copyright_p,track_date_created,track_date_recorded,track_disc_number,"
    "track_duration,track_explicit,track_explicit_notes,track_favorites,track_file,track_genres,track_image_file,"
    "track_information,track_instrumental,track_interest,track_language_code,track_listens,track_lyricist,track_number,"
    "track_publisher,track_title,track_url,sample_key,start_time\n"
)
OPENMIC_LABELS = "sample_key,instrument,relevance,num_responses\n"
EMOMUSIC_SONGS = (
    "song_id,file_name,Artist,Song title,start of the segment (min.sec),end of the segment (min.sec),Genre,"
    "Mediaeval 2013 set\n"
)
EMOMUSIC_RATINGS = "song_id,mean_arousal,std_arousal,mean_valence,std_valence\n"
SINGERS = [f"female{i}" for i in range(1, 10)] + [f"male{i}" for i in range(1, 12)]
#: as Wilkins et al. have them
TEST_SINGERS = ["female2", "female8", "male3", "male5", "male10"]


def openmic_row(key: str, artist: int | str) -> str:
    """A line of the metadata."""
    genres = "\"[{'genre_id': '76', 'genre_title': 'Experimental Pop'}, {'genre_id': '103', 'genre_title': 'Folk'}]\""
    cells = [""] * 41
    cells[0], cells[4], cells[5] = str(int(key[:6])), str(artist), '"Smith, Anna ""Ann"""'
    cells[27], cells[29], cells[39], cells[40] = genres, '"two\nlines"', key, "3.84"
    return ",".join(cells) + "\n"


def openmic(root: Path) -> None:
    """Each excerpt was asked about two of three instruments; sixty artists in training, ten in the test."""
    home = root / "openmic-2018"
    sizes = (("train", 1000, 60), ("test", 70_000, 10))
    keys = {part: [f"{first + i:06}_3840" for i in range(size)] for part, first, size in sizes}
    metadata, votes = OPENMIC_METADATA, OPENMIC_LABELS
    for part, names in keys.items():
        written(home / f"partitions/split01_{part}.csv", "\n".join(names) + "\n")
        for i, key in enumerate(names):
            metadata += openmic_row(key, int(key[:6]))
            asked = [name for k, name in enumerate(("flute", "piano", "voice")) if i % 3 != k]
            votes += "".join(f"{key},{name},{0.9 if (i // 3 + k) % 2 else 0.1},3\n" for k, name in enumerate(asked))
            music(home / f"audio/{key[:3]}/{key}.ogg", 880 if i // 3 % 2 else 220)
    written(home / "openmic-2018-metadata.csv", metadata)
    written(home / "openmic-2018-aggregated-labels.csv", votes)


def irmas(root: Path) -> None:
    """Sixty training recordings; each test part has its inner folder and excerpts of one or two instruments."""
    home, codes = root / "irmas", ("pia", "voi", "cel")
    for i in range(60):
        code = codes[pick(i, 3)]
        music(home / f"IRMAS-TrainingData/{code}/{i:03}__[{code}][nod][cla]{1300 + i}__1.wav", 220 * 2 ** pick(i, 3))
    for i in range(12):
        name = f"IRMAS-TestingData-Part{i % 3 + 1}/Part{i % 3 + 1}/{i:02} - Song-{i}"
        written(home / f"{name}.txt", "".join(f"{code}\t\n" for code in codes[pick(i, 3) :][: 1 + i % 2]))
        music(home / f"{name}.wav", 220 * 2 ** pick(i, 3))


def emomusic(root: Path) -> None:
    """Thirty-six artists in development, eight in the evaluation; high tones are aroused and sad."""
    home, songs, ratings = root / "emomusic", EMOMUSIC_SONGS, EMOMUSIC_RATINGS
    for i in range(44):
        artist = f"Band {ascii_uppercase[i % 26]} {ascii_uppercase[i // 26]}"
        part = "development" if i < 36 else "evaluation"
        songs += f'{i},{i}.mp3\t,"{artist}\t",Song\t,2.5,3.35,Blues\t,{part}\t\n'
        ratings += f"{i},{2 + pick(i, 6)},1.5,{7 - pick(i, 6)},1.5\n"
        music(home / f"clips_45seconds/{i}.mp3", 110 * 2 ** (pick(i, 6) / 2))
    written(home / "annotations/songs_info.csv", songs)
    written(home / "annotations/static_annotations.csv", ratings)


def singer_lists(home: Path) -> None:
    written(home / "test_singers_technique.txt", "\n".join(TEST_SINGERS))
    written(home / "train_singers_technique.txt", "\n".join(s for s in SINGERS if s not in TEST_SINGERS) + "\n")


def vocalset_files(home: Path, singers: Iterable[str], techniques: Iterable[str], vowels: str) -> list[Path]:
    """Paths of recordings: every technique in three contexts."""
    return [
        home / "data_by_singer" / singer / context / technique / f"{short}_{context}_{technique}_{vowel}.wav"
        for singer, short in ((singer, singer[0] + singer.lstrip("femal")) for singer in singers)
        for context in ("arpeggios", "long_tones", "scales")
        for technique in techniques
        for vowel in vowels
    ]


def vocalset(root: Path) -> None:
    """Some of the singers, so that each part of either split has some."""
    home = root / "vocalset"
    singers = ("female1", "female2", "female3", "female4", "female8", "male1", "male2", "male3", "male11")
    techniques = ("belt", "breathy", "lip_trill", "vibrato", "fast_forte")
    for path in vocalset_files(home, singers, techniques, "a"):
        singer, _, technique, _ = path.relative_to(home / "data_by_singer").parts
        music(path, 220 * 2 ** (techniques.index(technique) / 2), overtones=singers.index(singer))
    singer_lists(home)

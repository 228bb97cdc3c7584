"""The scores are read as they are written: against readers of others, and against what is known of the music."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.corpora.rendered.works.chorales import hymns_of, read_chorales
from benchmark.corpora.rendered.works.essen import _read_song, read_essen
from benchmark.corpora.rendered.works.folk import _silent_c
from benchmark.corpora.rendered.works.groups import group_works, near_duplicates
from benchmark.corpora.rendered.works.masses import MOVEMENTS_OF_A_MASS, VOICES, read_masses
from benchmark.corpora.rendered.works.parts import LONGEST
from benchmark.corpora.rendered.works.reading import _flat, corpus_folder
from benchmark.corpora.rendered.works.work import METRES, Work
from benchmark.interfaces import UserError

#: chorales of one hymn: the first two by title, the others by their melodies alone
HYMNS = [("158.4", "279", "278"), ("16.6", "183.5"), ("264", "378"), ("404", "353")]


@pytest.fixture(scope="module")
def chorales() -> dict[str, Work]:
    return {work.work.removeprefix("bach/bwv"): work for work in read_chorales(corpus_folder())}


@pytest.fixture(scope="module")
def masses() -> list[Work]:
    return list(read_masses(corpus_folder()))


@pytest.fixture(scope="module")
def songs() -> list[Work]:
    return list(read_essen(corpus_folder(), 1, 6))


def _sounding(notes: pd.DataFrame) -> set[tuple[int, float, float, int]]:
    columns = ["part", "onset", "duration", "pitch"]
    return {(part, round(at, 3), round(length, 3), pitch) for part, at, length, pitch in notes[columns].to_numpy()}


# Against others' readers


def test_songs_are_what_abc2midi_plays(songs: list[Work]) -> None:
    import symusic

    played = 0
    for work in songs[:: len(songs) // 12]:
        path, number = work.work.partition("/")[2].rsplit("-", 1)
        text = (corpus_folder() / "essenFolksong" / f"{path}.abc").read_text(encoding="latin-1")
        with _silent_c():
            score: Any = symusic.Score.from_abc("X:" + text.split("\nX:")[int(number) + 1])
        notes = score.tracks[0].notes.numpy()
        onset = (notes["time"] - 1) / score.ticks_per_quarter
        expected = dict(zip(np.round(onset - onset[0], 2), notes["pitch"].tolist(), strict=True))
        found = dict(zip(np.round(work.notes["onset"], 2), work.notes["pitch"].tolist(), strict=True))
        # a stretch may be all that was kept: it is found somewhere in the tune
        shifts = [
            at for at in expected if all(expected.get(round(at + t - min(found), 2)) == p for t, p in found.items())
        ]
        assert shifts, work.work
        played += len(found)
    assert played > 300


@pytest.mark.parametrize("number", ["158.4", "279", "104.6", "113.8"])
def test_chorales_are_what_music21_reads(number: str, chorales: dict[str, Work]) -> None:
    work = chorales[number]
    _assert_as_music21(work, corpus_folder() / "bach" / f"bwv{number}.mxl")
    if work.tonic is not None:
        assert work.mode in ("major", "minor")


@pytest.mark.parametrize("at", [0, 150])
def test_masses_are_what_music21_reads(at: int, masses: list[Work]) -> None:
    _assert_as_music21(masses[at], corpus_folder() / "palestrina" / f"{masses[at].work.partition('/')[2]}.krn")


def _assert_as_music21(work: Work, path: Path) -> None:
    from music21 import converter

    score: Any = converter.parse(path, forceSource=True)
    rows: list[list[float]] = []
    for i, part in enumerate(score.parts):
        for note in part.flatten().notes:
            if note.tie is not None and note.tie.type in ("stop", "continue") and rows[-1][0] == i:
                rows[-1][2] += float(note.quarterLength)
            else:
                rows.append([i, float(note.offset), float(note.quarterLength), note.pitches[-1].midi])
    expected = pd.DataFrame(rows, columns=["part", "onset", "duration", "pitch"])
    assert _sounding(work.notes) == _sounding(expected[expected["onset"] < LONGEST])
    signature = next(iter(score.parts[0].recurse().getElementsByClass("TimeSignature")))
    assert work.signature == (signature.numerator, signature.denominator)
    bar = METRES[work.signature][1] * METRES[work.signature][2]
    first = score.parts[0].getElementsByClass("Measure")[0]
    assert work.downbeat == (bar - first.paddingLeft) % bar or work.downbeat == first.duration.quarterLength % bar


# Against what is known


def _song(body: str, key: str = "F", metre: str = "2/4") -> Work | None:
    return _read_song(f"X:1\nT: a song\nM: {metre}\nL: 1/8\nK: {key}\n{body}\n", "essenGermany", "essenGermany/one")


#: four bars of 2/4 and an anacrusis, in F, on degrees 1 to 5
TUNE = "C | FFGG | AAGG | FFAA | GGEC | FGAB | c2F"


def test_a_song_with_an_anacrusis() -> None:
    work = _song(TUNE)
    assert work is not None
    assert (work.tonic, work.mode, work.signature, work.downbeat) == (5, "major", (2, 4), 0.5)
    assert work.notes["pitch"].tolist()[:6] == [60, 65, 65, 67, 67, 69]
    assert work.notes["pitch"].tolist()[-3] == 70  # B is flat in F
    assert work.notes["onset"].iloc[-1] + work.notes["duration"].iloc[-1] == 12


@pytest.mark.parametrize(
    ("change", "mode"),
    [
        (("A", "_A"), "minor"),  # the third decides, not `K:`
        (("c2F", "c2G"), None),  # ends elsewhere
        (("GGEC", "G_EEC"), None),  # mixolydian
        (("GGEC", "^G^F_E^C"), None),  # leaves its scale
    ],
)
def test_the_mode_is_what_the_notes_say(change: tuple[str, str], mode: str | None) -> None:
    work = _song(TUNE.replace(*change))
    assert work is not None
    assert work.mode == mode
    assert (work.tonic is None) == (mode is None)


def test_a_minor_song_is_not_dorian() -> None:
    """With its sixth natural, a tune with a minor third is dorian."""
    minor = TUNE.replace("A", "_A").replace("GGEC", "G_dcC")
    for sixth, mode in (("_d", "minor"), ("d", None)):
        work = _song(minor.replace("_d", sixth))
        assert work is not None
        assert work.mode == mode


def test_an_accidental_holds_to_the_end_of_its_bar() -> None:
    work = _song(TUNE.replace("FFGG", "^FFGG"))
    assert work is not None
    assert work.notes["pitch"].tolist()[:4] == [60, 66, 66, 67]
    assert work.notes["pitch"].tolist()[9] == 65


def test_a_song_that_leaves_its_metre_is_cut() -> None:
    """The longest stretch is kept, without a key: it does not end where the song does."""
    work = _song(TUNE.replace(" | c2F", " | FFGGA | FFGG | AAGG | FFAA | GGEC | FGAB | FFGG | c2F2"))
    assert work is not None
    assert (work.downbeat, len(work.notes)) == (0, 26)
    assert work.mode == "major"
    broken = _song(TUNE + "A | FFGGA | FFGG | c2")
    assert broken is not None
    assert broken.mode is None
    assert len(broken.notes) == 24


@pytest.mark.parametrize("metre", ["none", "5/8", "FREI4/4"])
def test_a_song_without_a_metre_is_none(metre: str) -> None:
    assert _song(TUNE, metre=metre) is None


def test_songs_are_in_the_key_that_they_say(songs: list[Work]) -> None:
    """Krumhansl & Kessler's profiles find tonic and mode of most, though they know only how long each note lasts."""
    major = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]
    minor = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]
    keys = {(root, m): np.roll(p, root) for m, p in (("major", major), ("minor", minor)) for root in range(12)}
    right, known = [], [work for work in songs if work.mode]
    for work in known:
        weights = np.bincount(work.notes["pitch"] % 12, work.notes["duration"], 12)
        best = max(keys, key=lambda key: np.corrcoef(keys[key], weights)[0, 1])
        right.append(best == (work.tonic, work.mode))
    assert len(known) > 500
    assert np.mean(right) > 0.75
    assert {work.mode for work in known} == {"major", "minor"}


def test_songs_start_notes_on_their_downbeats(songs: list[Work]) -> None:
    """Were bars off by an anacrusis, hardly more notes would begin on them than a beat later."""
    on, off = [], []
    for work in songs:
        _, beat, beats = METRES[work.signature]
        onsets = set(np.round(work.notes["onset"], 3))
        bars = np.arange(work.downbeat, max(onsets), beat * beats)
        on.append(np.mean([round(at, 3) in onsets for at in bars]))
        off.append(np.mean([round(at + beat, 3) in onsets for at in bars]))
    assert np.mean(on) > 0.95
    assert np.mean(on) > np.mean(off) + 0.05


def test_masses_have_four_parts_that_agree(masses: list[Work]) -> None:
    assert len(masses) > 250
    for work in masses[::10]:
        assert sorted(work.notes["part"].unique()) == list(range(VOICES))
        medians = work.notes.groupby("part")["pitch"].median()
        assert medians[0] > medians[VOICES - 1], "the soprano is on top"
        # consonance: what sounds together on a beat is a triad or less, most of the time
        beats = np.arange(work.downbeat, 96, METRES[work.signature][1])
        ends = work.notes["onset"] + work.notes["duration"]
        heard = [work.notes["pitch"][(work.notes["onset"] <= at) & (ends > at)] % 12 for at in beats]
        assert np.mean([len(set(pitches)) <= 3 for pitches in heard]) > 0.8
    assert max(pd.Series([work.tie for work in masses]).value_counts()) <= MOVEMENTS_OF_A_MASS


# Groups


def test_chorales_of_one_hymn_share_a_group(chorales: dict[str, Work]) -> None:
    groups = dict(zip(chorales, group_works(list(chorales.values())), strict=True))
    for settings in HYMNS:
        assert len({groups[number] for number in settings}) == 1, settings
    assert len(set(groups.values())) > 130


def test_titles_alone_and_melodies_alone_do_not_suffice(chorales: dict[str, Work]) -> None:
    hymns = hymns_of(corpus_folder())
    assert len({hymns[number] for number in HYMNS[0]}) == len({hymns[number] for number in HYMNS[1]}) == 1
    for settings in HYMNS[2:]:
        assert hymns[settings[0]] != hymns[settings[1]]
        found = [chorales[number] for number in settings]
        assert near_duplicates(found) == [(0, 1)] or set(near_duplicates(found)) == {(0, 1)}


def test_no_group_is_a_chain_of_common_turns(songs: list[Work]) -> None:
    sizes = pd.Series(group_works(songs)).value_counts()
    assert sizes.max() < 40
    assert len(sizes) > 0.7 * len(songs)


def test_a_varied_tune_is_a_near_duplicate_and_another_is_none(songs: list[Work]) -> None:
    tune = max(songs, key=lambda work: len(work.notes))
    moved = Work(**{**vars(tune), "work": "moved", "notes": tune.notes.assign(pitch=tune.notes["pitch"] + 5)})
    varied = moved.notes.drop(index=list(range(0, len(moved.notes), 40)))
    assert near_duplicates([tune, Work(**{**vars(moved), "notes": varied})])
    others = [work for work in songs[:40] if work is not tune]
    assert len(near_duplicates(others)) < len(list(combinations(others, 2))) / 50


def test_scores_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of its essen; is it installed as a whole"):
        _flat(read_essen, tmp_path)

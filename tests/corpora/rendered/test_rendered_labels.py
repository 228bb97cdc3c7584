"""The labels of the rendered scores are true of what sounds, and cannot be had without listening to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd
import pytest
from mir_eval.chord import encode

from benchmark.corpora.rendered.arrange import Arrangement, arrange
from benchmark.corpora.rendered.catalog import order
from benchmark.corpora.rendered.scores import RenderedChorales, RenderedScores
from benchmark.corpora.rendered.synthesis import SAMPLE_RATE, play, render
from benchmark.corpora.rendered.works import reading
from benchmark.corpora.rendered.works.groups import group_works
from benchmark.corpora.rendered.works.work import METRES, Work
from tasks.chord import Chord
from tasks.collection import Collection
from tasks.dance import Dance
from tasks.downbeat import Downbeat
from tasks.instruments_present import InstrumentsPresent
from tasks.key import Key
from tasks.melody import Melody
from tasks.mode import Mode
from tasks.tempo import Tempo
from tasks.voices import Voices

VERSION = RenderedScores.info.version


def _arranged(works: list[Work], size: int) -> pd.DataFrame:
    counts = {
        split: size * share // 100 for split, share in {"train": 61, "val": 13, "test": 13, "transfer": 13}.items()
    }
    rows = []
    for clip in order(works, group_works(works), VERSION, [counts]):
        work = works[clip.work]
        heard = arrange(work, clip.track, clip.split, VERSION)
        row = {"id": clip.track, "split": clip.split, "collection": work.collection, "signature": work.signature}
        rows.append({**row, **heard.labels, "arrangement": heard})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def clips(works: list[Work]) -> pd.DataFrame:
    return _arranged([work for work in works if work.collection in RenderedScores.collections], 900)


@pytest.fixture(scope="module")
def chorales(works: list[Work]) -> pd.DataFrame:
    return _arranged([work for work in works if work.collection in RenderedChorales.collections], 400)


def _nuisances(clips: pd.DataFrame) -> np.ndarray:
    """What is heard of a clip before its music: instrument, tempo, register, level, room."""
    heard: list[Arrangement] = clips["arrangement"].tolist()
    numbers = [
        [np.log(t), a.level_dbfs, np.log(a.room.rt60), a.room.wet_db, a.room.low_hz, a.room.high_hz]
        for t, a in zip(clips["tempo"], heard, strict=True)
    ]
    named = pd.get_dummies(clips[["family", "register"]].astype(str)).to_numpy(float)
    standard = (np.array(numbers) - np.mean(numbers, axis=0)) / np.std(numbers, axis=0)
    return np.concatenate([standard, named], axis=1)


def _assert_independent(features: np.ndarray, labels: Any) -> None:
    """Logistic regression, cross-validated, is no better than with the labels permuted."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import permutation_test_score

    model = LogisticRegression(class_weight="balanced", max_iter=300)
    score, permuted, p = permutation_test_score(
        model, features, np.asarray(labels), cv=3, n_permutations=60, scoring="balanced_accuracy", random_state=0
    )
    assert p > 0.02, f"{score:.3f}, by chance {permuted.mean():.3f} +- {permuted.std():.3f}"


def test_a_leak_would_be_seen(clips: pd.DataFrame) -> None:
    """The control: were minor tunes played 15 % slower, the test above would say so."""
    clips = clips[clips["mode"].notna()]
    slower = clips.assign(tempo=clips["tempo"] * np.where(clips["mode"] == "minor", 0.85, 1))
    with pytest.raises(AssertionError, match="by chance"):
        _assert_independent(_nuisances(slower), clips["mode"])


# f0


def test_f0_is_what_the_lead_plays(clips: pd.DataFrame) -> None:
    """YIN on the lead's own stem, away from onsets and releases, where both say that it is voiced."""
    right = []
    for clip in clips[:16].itertuples():
        lead = clip.arrangement
        audio = play([(lead.notes["lead"], lead.programs["lead"], False)])[0]
        heard = librosa.yin(audio, fmin=40, fmax=2200, sr=SAMPLE_RATE, frame_length=1024, hop_length=160)[:800]
        loud = librosa.feature.rms(y=audio, frame_length=1024, hop_length=160)[0, :800]
        steady = np.array([len(set(clip.f0[max(0, i - 4) : i + 5])) == 1 for i in range(800)])
        rows = steady & (clip.f0 > 0) & (loud > 0.1 * loud.max())
        right.append(np.mean(np.abs(12 * np.log2(heard[rows] / clip.f0[rows])) < 0.5))
    assert np.median(right) > 0.95
    assert np.mean(right) > 0.8


def test_f0_rests_where_the_stem_is_silent(clips: pd.DataFrame) -> None:
    rests, sounding = [], []
    for clip in clips[:40].itertuples():
        if np.mean(clip.f0 == 0) < 0.1:
            continue
        audio = play([(clip.arrangement.notes["lead"], clip.arrangement.programs["lead"], False)])[0]
        level = np.square(audio).reshape(800, 160).mean(axis=1)
        rests.append(level[clip.f0 == 0].mean() / level.mean())
        sounding.append(level[clip.f0 > 0].mean() / level.mean())
    assert len(rests) >= 5
    assert np.median(rests) < 0.5
    assert min(sounding) > 1


def test_the_melody_is_not_told_by_the_instrument(clips: pd.DataFrame) -> None:
    """Its register is as likely whatever the family, the tempo, the level and the work's collection."""
    others = _nuisances(clips.assign(register="any"))
    train = (clips["split"] == "train").to_numpy()
    _assert_independent(others[train], clips["register"][train])


# Chords


def test_a_chord_is_what_the_clip_plays(chorales: pd.DataFrame) -> None:
    """The notes in seconds, transposed, jittered and shortened as they are played, against mir_eval's reading."""
    right = []
    for clip in chorales[chorales["chords"].notna()].itertuples():
        notes = clip.arrangement.notes["lead"] + clip.arrangement.notes["accompaniment"]
        for chord in clip.chords:
            length = chord["end"] - chord["start"]
            if ":" not in chord["label"] or length < 0.3:
                continue
            at = chord["start"] + 0.25 * length
            heard = {pitch % 12 for start, end, pitch, _ in notes if start <= at < end}
            root, bitmap, _ = encode(chord["label"])
            right.append({(root + step) % 12 for step in np.flatnonzero(bitmap)} <= heard)
    assert len(right) > 1000
    assert np.mean(right) > 0.93  # clipped first beats, and eighth notes that are over by then


def test_chords_are_in_the_audio(chorales: pd.DataFrame) -> None:
    """Chroma of the dry clip against triads."""
    triads = np.array([np.roll([1, 0, 0, m, 1 - m, 0, 0, 1, 0, 0, 0, 0], r) for m in (0, 1) for r in range(12)])
    right = []
    for clip in chorales[chorales["voices"] == "4"][:12].itertuples():
        heard = clip.arrangement
        parts = [(heard.notes[stem], heard.programs[stem], False) for stem in ("lead", "accompaniment")]
        audio = play(parts).sum(axis=0)
        chroma = librosa.feature.chroma_stft(y=audio, sr=SAMPLE_RATE, n_fft=4096, hop_length=160, tuning=0)
        for chord in clip.chords:
            if ":" in chord["label"] and chord["end"] - chord["start"] > 0.3:
                root, bitmap, _ = encode(chord["label"])
                beat = chroma[:, int(100 * chord["start"]) : int(100 * chord["end"])].mean(axis=1)
                right.append((triads @ beat).argmax() == root + 12 * bitmap[3])
    assert len(right) > 60
    assert np.mean(right) > 0.6  # one in 24 by chance


def test_chords_fill_the_clip(chorales: pd.DataFrame) -> None:
    for chords in chorales["chords"].dropna():
        bounds = np.array([(chord["start"], chord["end"]) for chord in chords])
        np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])
        assert (bounds[0, 0], bounds[-1, 1]) == (0, 8)
        assert (np.diff(bounds) > 0).all()
    few = chorales["voices"].isin(["1", "2"]) & (chorales["collection"] == "bach")  # in others, a third may enter
    assert chorales.loc[few, "chords"].isna().all()


def test_no_root_is_likelier_than_another(chorales: pd.DataFrame) -> None:
    from scipy.stats import chisquare

    first = [chords[0]["label"].split(":")[0] for chords in chorales["chords"].dropna() if ":" in chords[0]["label"]]
    assert chisquare(pd.Series(first).value_counts()).pvalue > 0.01
    assert len(set(first)) == 12
    labelled = chorales[chorales["chords"].notna()]
    qualities = np.array([any(":min" in c["label"] for c in chords[:3]) for chords in labelled["chords"]])
    _assert_independent(_nuisances(labelled), qualities)


# Voices


def test_voices_are_counted_in_the_notes(chorales: pd.DataFrame) -> None:
    """How many notes sound at once, most of the time."""
    right = []
    times = np.arange(0, 8, 0.02)
    for clip in chorales[chorales["voices"].notna()].itertuples():
        heard = clip.arrangement.notes["lead"] + clip.arrangement.notes["accompaniment"]
        starts, ends = np.array([note[:2] for note in heard]).T
        at_once = ((starts <= times[:, None]) & (times[:, None] < ends)).sum(axis=1)
        right.append(np.median(at_once[at_once > 0]) == int(clip.voices))
    assert np.mean(right) > 0.9


def test_parts_that_rest_are_no_voices(chorales: pd.DataFrame) -> None:
    """Of a mass whose parts enter one by one no number is most of the time, or a smaller one than it has parts."""
    assert 0.02 < chorales["voices"].isna().mean() < 0.35
    bach = chorales[chorales["collection"] == "bach"]
    assert bach["voices"].isna().mean() < 0.05


def test_voices_are_drawn_whatever_the_clip_sounds_like(chorales: pd.DataFrame) -> None:
    known = chorales[chorales["voices"].notna()]
    shares = known["voices"].value_counts(normalize=True)
    assert shares[["1", "2", "3", "4"]].between(0.12, 0.38).all(), shares
    _assert_independent(_nuisances(known), known["voices"])
    # the same works make every class
    works = known["id"].str.split("#").str[0]
    assert works.groupby(works).agg(lambda own: known.loc[own.index, "voices"].nunique()).mean() > 2


def test_more_voices_are_not_louder(chorales: pd.DataFrame) -> None:
    levels: dict[str, list[float]] = {voices: [] for voices in "1234"}
    for clip in chorales[chorales["voices"].notna()][:48].itertuples():
        mix = render(clip.arrangement)["mix"] / 32768
        levels[clip.voices].append(10 * np.log10(np.square(mix).mean()) - clip.arrangement.level_dbfs)
    assert all(abs(np.median(found)) < 0.5 for found in levels.values())


# Instruments


def test_instruments_are_the_stems_that_sound(clips: pd.DataFrame) -> None:
    families = set(InstrumentsPresent.classes)
    for clip in clips[:30].itertuples():
        stems = render(clip.arrangement)
        sounding = {name for name in RenderedScores.stems if np.abs(stems[name].astype(int)).max() > 3}
        assert ("drums" in clip.instruments) == ("drums" in sounding)
        pitched = sounding - {"drums"}
        assert len(set(clip.instruments) - {"drums"}) in ({1, 2} if len(pitched) == 2 else {len(pitched)})
        assert clip.family in clip.instruments
        assert set(clip.instruments) <= families


def test_instruments_do_not_tell_each_other(clips: pd.DataFrame) -> None:
    lead = pd.get_dummies(clips["family"]).to_numpy(float)
    others = np.concatenate([lead, _nuisances(clips.assign(family="any", register="any"))], axis=1)
    _assert_independent(others, ["drums" in tags for tags in clips["instruments"]])
    accompanied = np.array([bool(a.notes["accompaniment"]) for a in clips["arrangement"]])
    _assert_independent(others, accompanied)
    programs = np.array([a.programs["accompaniment"] for a in clips["arrangement"]])
    _assert_independent(others[accompanied], programs[accompanied] % 8)


def test_an_accompaniment_does_not_tell_the_work(clips: pd.DataFrame) -> None:
    from scipy.stats import chi2_contingency

    accompanied = [bool(a.notes["accompaniment"]) for a in clips["arrangement"]]
    for other in (clips["collection"], clips["mode"], clips["metre"]):
        assert chi2_contingency(pd.crosstab(accompanied, other)).pvalue > 0.01


# Tempo, beats, dances


def test_tempo_is_that_of_the_beats(clips: pd.DataFrame) -> None:
    for clip in clips.itertuples():
        period = (clip.beats[-1] - clip.beats[0]) / (len(clip.beats) - 1)
        assert 60 / period == pytest.approx(clip.tempo, rel=0.03)
    from scipy.stats import kstest

    log = np.log(clips["tempo"] / 60) / np.log(3)
    assert kstest(log, "uniform").pvalue > 0.01


def test_tempo_is_drawn_whatever_the_clip_is(clips: pd.DataFrame) -> None:
    known = clips[["family", "register", "metre", "mode", "collection", "dance"]].astype(str)
    fast = clips["tempo"] > clips["tempo"].median()
    _assert_independent(pd.get_dummies(known).to_numpy(float), fast)


def test_downbeats_are_every_so_many_beats(clips: pd.DataFrame) -> None:
    for clip in clips.itertuples():
        at = [clip.beats.index(t) for t in clip.downbeats]
        assert set(np.diff(at)) <= {METRES[clip.signature][2]}
        assert len(at) >= 1


def test_melodies_rest_on_their_downbeats(clips: pd.DataFrame) -> None:
    """More notes begin on downbeats than on other beats, and they are longer."""
    begun: dict[bool, list[bool]] = {True: [], False: []}
    for clip in clips.itertuples():
        starts = np.array([start for start, *_ in clip.arrangement.notes["lead"]])
        for beat in clip.beats:
            begun[beat in clip.downbeats].append(bool(np.abs(starts - beat).min() < 0.03))
    assert np.mean(begun[True]) > np.mean(begun[False]) + 0.02


def test_no_time_is_likelier_for_a_downbeat(clips: pd.DataFrame) -> None:
    from scipy.stats import kstest

    bars = [(c.downbeats[0], c.downbeats[1] - c.downbeats[0]) for c in clips.itertuples() if len(c.downbeats) > 1]
    phases = np.array([first / bar for first, bar in bars])
    assert kstest(phases.clip(0, 1), "uniform").pvalue > 0.01
    _assert_independent(_nuisances(clips[clips["downbeats"].map(len) > 1]), phases > 0.5)


def test_dances_have_their_metre(clips: pd.DataFrame) -> None:
    metres = pd.crosstab(clips["dance"], clips["metre"], normalize="index")
    assert set(metres.index) == set(Dance.classes)
    for dance, metre in {"reel": "simple duple", "jig": "compound", "hornpipe": "simple duple"}.items():
        assert metres.loc[dance, metre] > 0.98
    assert set(clips.loc[clips["dance"].notna(), "collection"]) <= {"oneills1850", "ryansMammoth", "airdsAirs"}


@pytest.mark.parametrize("label", ["mode", "dance", "collection"])
def test_what_the_score_says_is_not_told_by_how_it_is_played(clips: pd.DataFrame, label: str) -> None:
    labelled = clips[clips[label].notna() & (clips["split"] == "train")]
    _assert_independent(_nuisances(labelled), labelled[label])


# Catalogs


@pytest.fixture(scope="module")
def catalogs(works: list[Work], tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Both corpora, of the few works, as the engine stores them."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "read_works", lambda reader: works)
        for corpus in (RenderedScores(), RenderedChorales()):
            folder: Path = tmp_path_factory.mktemp(corpus.info.name)
            corpus.catalog(folder, 240).to_parquet(folder / "tracks.parquet", index=False)
            found[corpus.info.name] = pd.read_parquet(folder / "tracks.parquet")
    return found


def test_every_label_survives_the_catalog(catalogs: dict[str, pd.DataFrame]) -> None:
    scores, chorales = catalogs["rendered_scores"], catalogs["rendered_chorales"]
    for task in (InstrumentsPresent(), Tempo(), Downbeat(), Melody()):
        assert task.corpus == "rendered_scores"
        assert not any(target is None for target in task.targets(scores))
    keyless = [target is None for target in Mode().targets(scores)]
    assert keyless == [target is None for target in Key().targets(scores)] == scores["key"].isna().tolist()
    assert 0.1 < np.mean(keyless) < 0.6
    mixed = scores["collection"].isin(["miscFolk", "bach"]).tolist()
    assert [target is None for target in Collection().targets(scores)] == mixed
    assert {type(t) for t in Dance().targets(scores)} == {int, type(None)}
    assert np.mean([target is not None for target in Voices().targets(chorales)]) > 0.7
    with_chords = np.array([target is not None for target in Chord().targets(chorales)])
    assert 0.35 < with_chords.mean() < 0.7
    assert Chord.corpus == Voices.corpus == "rendered_chorales"


def test_chorales_are_in_the_same_split_in_both_corpora(catalogs: dict[str, pd.DataFrame]) -> None:
    scores, chorales = catalogs["rendered_scores"], catalogs["rendered_chorales"]
    assert set(chorales["collection"]) == {"bach", "palestrina"}  # the few works have no madrigal
    place = dict(zip(chorales["work"], chorales["split"], strict=True))
    both = scores[scores["work"].isin(place)]
    assert len(both) > 3
    for clip in both.itertuples():
        assert place[clip.work] == ("test" if clip.split == "transfer" else clip.split)

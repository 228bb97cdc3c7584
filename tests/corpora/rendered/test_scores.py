"""Musical truth: what is written is what sounds, and what is labelled is what was played."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
from conftest import catalog_of

from benchmark.corpora.rendered.arrange import CLIP_SECONDS, Room, arrange
from benchmark.corpora.rendered.catalog import split_of
from benchmark.corpora.rendered.palette import ACCOMPANYING, FAMILIES, REGISTERS, TRAINING_PROGRAMS, held_out_register
from benchmark.corpora.rendered.scores import RenderedScores
from benchmark.corpora.rendered.second_font import RenderedScoresSecondFont
from benchmark.corpora.rendered.soundfonts import second_font
from benchmark.corpora.rendered.synthesis import SAMPLE_RATE, impulse_response, play, play_drums, render
from benchmark.corpora.rendered.works.groups import interval_ngrams, near_duplicates
from benchmark.corpora.rendered.works.note_tables import load_notes

VERSION = RenderedScores.info.version
ALL_PROGRAMS = [p for seen, unseen in FAMILIES.values() for p in (*seen, *unseen)]


@pytest.fixture(scope="session")
def catalog(tiny_run: Path, data_dir: Path) -> Path:
    return catalog_of("rendered_scores", data_dir)


@pytest.fixture(scope="session")
def tracks(catalog: Path) -> pd.DataFrame:
    return pd.read_parquet(catalog / "tracks.parquet")


@pytest.fixture
def font(request: pytest.FixtureRequest) -> Path | None:
    """The font of the corpus, or the one of `rendered_scores_second_font`, which plays the test clips alone."""
    if request.param == "first":
        return None
    found = second_font()
    if found is None:
        pytest.skip("no second SoundFont on this system")
    return found


PLAYED = [*((p, "first") for p in ALL_PROGRAMS), *((p, "second") for p in ACCOMPANYING)]


@pytest.mark.parametrize(("program", "font"), PLAYED, indirect=["font"])
def test_a_note_sounds_at_its_pitch(program: int, font: Path | None) -> None:
    starts = {60: 0.2, 67: 2.7, 74: 5.2}
    sound = play([([(at, at + 1.0, pitch, 100) for pitch, at in starts.items()], program, False)], font=font)[0]
    for pitch, at in starts.items():
        audio = sound[int((at + 0.05) * SAMPLE_RATE) : int((at + 0.8) * SAMPLE_RATE)]
        f0 = librosa.yin(
            audio, fmin=librosa.midi_to_hz(pitch - 11), fmax=librosa.midi_to_hz(pitch + 11), sr=SAMPLE_RATE
        )
        heard = librosa.hz_to_midi(np.median(f0[:12]))
        assert abs(heard - pitch) < 0.5, f"program {program}: {pitch} sounds at {heard:.2f}"


@pytest.mark.parametrize("font", ["first", "second"], indirect=True)
def test_drum_hits_sound_when_they_are_written(font: Path | None) -> None:
    beats = np.arange(0.5, 7.5, 0.5)
    audio = play_drums([(float(t), float(t) + 0.1, 37, 110) for t in beats], font)
    onsets = librosa.onset.onset_detect(y=audio, sr=SAMPLE_RATE, hop_length=160, units="time", backtrack=False)
    assert len(onsets) == len(beats)
    assert np.abs(onsets - beats).max() < 0.03


@pytest.mark.parametrize("font", ["first", "second"], indirect=True)
@pytest.mark.parametrize("programs", [(0, 40), (24, 56), (6, 48), (73, 10), (44, 33)])
def test_two_stems_rendered_at_once_do_not_leak(programs: tuple[int, int], font: Path | None) -> None:
    notes = [(float(t), float(t) + 0.3, 55 + 3 * i % 14, 95) for i, t in enumerate(np.arange(0.0, 7.5, 0.25))]
    parts = [(notes, programs[0], False), ([(s + 0.1, e, p - 12, v) for s, e, p, v in notes], programs[1], False)]
    both, alone = play(parts, font=font), [play([part], font=font)[0] for part in parts]
    assert min(np.abs(stem).max() for stem in alone) > 0.02
    sounding = slice(int(7.4 * SAMPLE_RATE))  # a file ends with its last note
    assert np.abs(both[:, sounding] - np.array(alone)[:, sounding]).max() < 2e-5


def test_stems_add_up_to_the_mix(catalog: Path, tracks: pd.DataFrame) -> None:
    works = load_notes(catalog, set(tracks["work"][:6]))
    for track in tracks[:6].itertuples():
        sound = render(arrange(works[track.work], track.id, track.split, VERSION))
        mix = sound.pop("mix")
        np.testing.assert_array_equal(mix, np.sum(list(sound.values()), axis=0))
        assert len(mix) == CLIP_SECONDS * SAMPLE_RATE
        assert 300 < np.abs(mix.astype(int)).max() <= 32767


def test_the_label_is_what_the_melody_plays(catalog: Path, tracks: pd.DataFrame) -> None:
    """The melody, folded into pitch classes, fits its own key's scale better than chance would."""
    works = load_notes(catalog, set(tracks["work"]))
    tonics = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
    scales = {"major": [0, 2, 4, 5, 7, 9, 11], "minor": [0, 2, 3, 5, 7, 8, 10, 11, 9]}
    inside = []
    for track in tracks[tracks["key"].notna()][:120].itertuples():
        lead = arrange(works[track.work], track.id, track.split, VERSION).notes["lead"]
        tonic, mode = track.key.split()
        classes = np.array([(pitch - tonics.index(tonic)) % 12 for _, _, pitch, _ in lead])
        inside.append(np.isin(classes, scales[mode]).mean())
    assert np.mean(inside) > 0.95


def test_beats_are_where_notes_begin(catalog: Path, tracks: pd.DataFrame) -> None:
    works = load_notes(catalog, set(tracks["work"]))
    hits, chance = [], []
    for track in tracks[:60].itertuples():
        starts = np.array([s for s, *_ in arrange(works[track.work], track.id, track.split, VERSION).notes["lead"]])
        beats = np.array(track.beats)
        for offset, found in ((0.0, hits), (0.41 * 60 / track.tempo, chance)):
            found += [np.abs(starts - (beat + offset)).min() < 0.03 for beat in beats if beat + offset < 7.9]
    assert np.mean(hits) > 0.75
    assert np.mean(hits) > np.mean(chance) + 0.3


def test_no_group_straddles_a_split_and_no_near_duplicate_does(data_dir: Path, tracks: pd.DataFrame) -> None:
    """Among all works: what is an idiom, and no sign of kinship, depends on how many have it."""
    side = tracks["split"].replace("transfer", "test")
    assert side.groupby(tracks["group"]).nunique().max() == 1
    works = list(load_notes(next((data_dir / "packed").glob(f"read-{VERSION}-*"))).values())
    assert max(len(interval_ngrams(work)) for work in works) > 20
    side_of = {work.work: split_of(work.group, VERSION) for work in works}
    assert all(side_of[work] == there for work, there in zip(tracks["work"], side, strict=True))
    pairs = [(works[a].work, works[b].work) for a, b in near_duplicates(works)]
    assert len(pairs) > 1000
    apart = [(a, b) for a, b in pairs if side_of[a] != side_of[b]]
    assert not apart


def test_test_registers_and_transfer_programs_are_unheard(tracks: pd.DataFrame) -> None:
    heard = set(
        zip(
            *tracks.loc[tracks["split"].isin(["train", "val"]), ["program", "register"]].to_numpy().T,
            strict=True,
        )
    )
    tested = set(zip(*tracks.loc[tracks["split"] == "test", ["program", "register"]].to_numpy().T, strict=True))
    assert tested
    assert not heard & tested
    assert not set(tracks.loc[tracks["split"] == "transfer", "program"]) & set(TRAINING_PROGRAMS)
    counts = np.bincount([held_out_register(p) for p in TRAINING_PROGRAMS], minlength=len(REGISTERS))
    assert counts.max() - counts.min() <= 1


def test_tonic_is_independent_of_instrument_tempo_and_metre(tracks: pd.DataFrame) -> None:
    """Chi-squared on contingency tables; the tempo by halves."""
    from scipy.stats import chi2_contingency

    tracks = tracks[tracks["key"].notna()]
    tonic = tracks["key"].str.split().str[0]
    for other in (tracks["family"], tracks["tempo"] > tracks["tempo"].median(), tracks["metre"]):
        assert chi2_contingency(pd.crosstab(tonic, other)).pvalue > 1e-3


def test_the_order_is_a_prefix_order(tracks: pd.DataFrame) -> None:
    assert tracks["split"].value_counts().to_dict() == RenderedScores.counts["tiny"]
    shares = tracks["split"].value_counts(normalize=True)
    half = tracks[: len(tracks) // 2]["split"].value_counts(normalize=True)
    assert half["train"] == pytest.approx(shares["train"], abs=0.02)
    assert tracks["id"].is_unique


def test_the_second_font_plays_as_many_test_clips(tracks: pd.DataFrame) -> None:
    assert RenderedScoresSecondFont.sizes["tiny"] == (tracks["split"] == "test").sum()


def test_a_room_colors_what_it_says() -> None:
    dry = Room(rt60=0.4, wet_db=-200, low_hz=100, high_hz=3000, seed=1)
    response = impulse_response(dry)

    def db(hz: float) -> float:
        phase = np.exp(-2j * np.pi * hz * np.arange(len(response)) / SAMPLE_RATE)
        return float(20 * np.log10(np.abs(response @ phase)))

    assert db(700) == pytest.approx(0, abs=0.2)
    assert db(100) == pytest.approx(-3, abs=0.1)
    assert db(3000) == pytest.approx(-3, abs=0.1)
    assert db(25) - db(12.5) == pytest.approx(6, abs=0.5)
    assert db(6000) < -12


def test_a_room_rings_as_long_as_it_says() -> None:
    response = impulse_response(Room(rt60=0.4, wet_db=0, low_hz=30, high_hz=7500, seed=1))[50:]
    left = 10 * np.log10(np.cumsum(np.square(response[::-1]))[::-1])  # Schroeder's integral
    slope = np.polyfit(np.arange(len(left))[800:3200] / SAMPLE_RATE, left[800:3200], 1)[0]
    assert -60 / slope == pytest.approx(0.4, rel=0.1)

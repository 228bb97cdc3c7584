"""What is said of planted scores: who leads, what is not told apart, and no more than the pair test bears out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.leaderboard.record import Run
from benchmark.recommend.advice import Advice, advise, next_goal
from benchmark.recommend.words import lines, outlook, sentence, told

LABELS = [10, 20, 40, 80, 160, 320]
HEARD = {"simclr", "byol"}
#: scores with all labels; curves rise to them
GUESSING = {"constant": 0.2, "mfcc": 0.21, "informed": 0.2, "random": 0.2, "simclr": 0.21, "byol": 0.19}
TIED = {"constant": 0.2, "mfcc": 0.80, "informed": 0.5, "random": 0.5, "simclr": 0.81, "byol": 0.6}
MFCC = {"constant": 0.2, "mfcc": 0.85, "informed": 0.5, "random": 0.5, "simclr": 0.6, "byol": 0.62}
SIMCLR = {"constant": 0.2, "mfcc": 0.6, "informed": 0.5, "random": 0.5, "simclr": 0.85, "byol": 0.62}


def scores(means: dict[str, float], noise: float = 0.02, law: bool = True) -> pd.DataFrame:
    """What a run would store: 5 label draws, 1 with all labels; draws of test items each row has to itself."""
    rng, rows = np.random.default_rng(0), []
    for name, mean in means.items():
        own = noise * rng.normal(size=100)
        for i, n in enumerate(LABELS):
            curve = mean + 0.1 - 0.1 * (n / 320) ** -0.4 if law else mean - 0.3 * (i < 5)
            for resample in range(5 if n < 320 else 1):
                value = mean if name == "constant" else curve
                rows.append(row(name, n, resample, value, value + own))
    return pd.DataFrame(rows)


def row(name: str, n: int, resample: int, value: float, draws: Any) -> dict[str, Any]:
    return {
        "strategy": name,
        "encoder": name,
        "pretrain_corpus": "rendered_scores/standard" if name in HEARD else "none",
        "task": "mine-genre",
        "corpus": "mine",
        "split_hash": "5f1e",
        "fraction": n / 320,
        "resample": resample,
        "seed": 0,
        "probe": "linear",
        "metric": "accuracy",
        "value": value,
        "n_train": n,
        "n_test": 75,
        "test_stderr": 0.02,
        "draws": draws,
        "groups": 75,
    }


def advice(means: dict[str, float], **planted: Any) -> Advice:
    notes: dict[str, Any] = {name: {"trains": name in HEARD, "seeds": 1, "seeded": False} for name in means}
    for name in HEARD & notes.keys():
        notes[name]["options"] = {"weights": f"exports/{name}"}
    record = {"strategies": notes, "tasks": {"mine-genre": {"metric": "accuracy", "level": "style"}}}
    (found,) = advise(scores(means, **planted), Run.model_validate(record), planted.get("goal"))
    return found


def test_mfcc_is_not_beaten_only_where_it_is_told_from_every_encoder() -> None:
    found = advice(MFCC)
    assert [one.name for one in found.leading] == ["mfcc"]
    said = sentence(found, "OWN")
    assert said.startswith("MFCC is not beaten on your data: pre-training on rendered music does not help here.")
    assert said.endswith("OWN")


def test_an_encoder_that_is_told_from_mfcc_beats_it() -> None:
    found = advice(SIMCLR)
    assert [one.name for one in found.leading] == ["simclr"]
    said = sentence(found, "OWN")
    assert said.startswith("simclr beats MFCC by .25 (± ")
    assert "benchmark.load_encoder('exports/simclr')" in said


def test_what_cannot_be_told_apart_is_not_told_apart_and_says_how_large_a_difference_would_have_been_seen() -> None:
    found = advice(TIED)
    assert {one.name for one in found.leading} == {"simclr", "mfcc"}
    said, pair = sentence(found, "OWN"), found.pairs["simclr", "mfcc"]
    assert "could not be told apart" in said
    assert "beat" not in said
    # two independent errors of .02; quantiles of the normal distribution, and a little more
    assert pair.detectable == pytest.approx(2.8 * 0.02 * 2**0.5, rel=0.2)
    assert f"a difference of {pair.detectable:.2f}".replace("0.", ".") in said


def test_where_nothing_separates_nobody_is_recommended() -> None:
    found = advice(GUESSING)
    said = sentence(found, "OWN")
    assert said.startswith("Nothing here is told from guessing without listening: with 75 test tracks, a difference of")
    assert found.forecast is None
    assert not any(name in said for name in ("MFCC", "simclr"))


def test_of_too_few_tests_it_says_that_nothing_could_be_seen() -> None:
    said = sentence(advice(GUESSING, noise=0.5), "OWN")
    assert "too few or of too few groups, none could be seen" in said


def test_two_test_tracks_tell_nobody_anything() -> None:
    """One row finds both and the other neither, on every draw of the two: that is no certainty."""
    record = {"strategies": {"mfcc": {"seeded": False}, "constant": {"seeded": False}}}
    record["tasks"] = {"mine-genre": {"metric": "accuracy", "level": "style"}}
    table = scores({"mfcc": 1.0, "constant": 0.0}).assign(n_test=2, groups=2)
    table["draws"] = [np.full(100, value) for value in table["value"]]
    (found,) = advise(table, Run.model_validate(record))
    assert "with 2 test tracks, too few or of too few groups, none could be seen" in sentence(found, "OWN")


def few_tests(means: dict[str, float], noise: float) -> Advice:
    """Eight test tracks."""
    record = {"strategies": {name: {"seeded": False} for name in means}}
    record["tasks"] = {"mine-genre": {"metric": "accuracy", "level": "style"}}
    (found,) = advise(scores(means, noise).assign(n_test=8, groups=8), Run.model_validate(record))
    return found


def test_what_is_far_above_guessing_and_not_certain_is_not_called_inaudible() -> None:
    """By itself it would be told, and Holm's correction over all pairs does not let it."""
    found = few_tests({"constant": 0.25, "mfcc": 1.0, "informed": 0.7, "random": 0.6}, 0.15)
    floor = found.pairs["mfcc", "constant"]
    assert floor.wins == "tied"
    assert floor.mean > floor.detectable
    assert sentence(found, "OWN") == (
        "MFCC is .75 above guessing without listening, but with 8 test tracks this is not certain after the correction "
        "for all comparisons; more labeled test tracks would settle it."
    )


def test_rows_that_are_far_apart_and_not_certain_are_not_said_to_be_close() -> None:
    """Between the best and what is not told apart from it, the same."""
    means = {"constant": 0.0, "mfcc": 1.0, "informed": 0.95, "random": 0.75, "pesto": 0.96, "crepe": 0.94}
    found = few_tests(means, 0.045)
    assert [one.name for one in found.leading][-1] == "random"
    assert found.pairs["mfcc", "random"].mean > found.pairs["mfcc", "random"].detectable
    said = sentence(found, "OWN")
    assert "would have been seen" not in said
    assert "there is a difference of .25, but with 8 test tracks this is not certain" in said


def test_sentence_and_leading_group_agree() -> None:
    """Whoever is better than every single other leads; Holm's correction over all pairs is not asked for besides."""
    found = advice(TIED | {"mfcc": 0.865, "simclr": 0.802})
    assert found.pairs["mfcc", "simclr"].wins == "tied"
    assert [one.name for one in found.leading] == ["mfcc"]
    assert sentence(found, "OWN").startswith("MFCC is not beaten")


def test_where_the_untrained_encoder_leads_it_is_not_beaten() -> None:
    said = sentence(advice(MFCC | {"random": 0.95}), "OWN")
    assert said.startswith("The untrained encoder is not beaten on your data")


def test_without_pretrained_encoders_it_says_so() -> None:
    found = advice({name: mean for name, mean in MFCC.items() if name not in ("simclr", "byol")})
    said = sentence(found, "OWN")
    assert said.startswith("MFCC leads (.85).")
    assert "No pre-trained encoder was compared" in said


def test_labels_are_foretold_where_the_curve_follows_its_law() -> None:
    """.85 + .1 - .1 (n / 320)^-.4 is .90 at 320 * 2^2.5 labels."""
    found = advice(MFCC, noise=0.001)
    assert found.goal == 0.9
    assert found.forecast is not None
    assert found.forecast.labels == pytest.approx(320 * 2**2.5, rel=0.1)
    assert outlook(found).startswith("about 1,800 labels for .90 (")
    silent = advice(MFCC, noise=0.001, law=False)
    assert silent.forecast is None
    assert outlook(silent) == ""
    assert not [line for line in lines(silent, "OWN") if "labels for" in line]


@pytest.mark.parametrize(
    ("score", "goal"), [(0.61, 0.65), (0.64, 0.7), (0.65, 0.7), (0.02, 0.05), (0.93, 0.95), (0.96, None)]
)
def test_the_next_goal_is_round_and_worth_it(score: float, goal: float | None) -> None:
    assert next_goal(score) == goal


@pytest.mark.parametrize("means", [GUESSING, TIED, MFCC, SIMCLR])
def test_scripts_get_json_and_people_lines(means: dict[str, float]) -> None:
    found = advice(means)
    said = json.loads(json.dumps(told(found, "OWN"), allow_nan=False))
    assert said["rows"].keys() == means.keys()
    assert [point["labels"] for point in said["rows"]["mfcc"]["curve"]] == LABELS
    shown = lines(found, "OWN")
    assert shown[-1].strip() == said["sentence"]
    starred = {line.split()[1] for line in shown if line.startswith("  * ") and "±" in line}
    assert starred == set(said["leading"])

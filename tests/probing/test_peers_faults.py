"""Faults found in other benchmarks, held off at the level of a whole evaluation: draws, undefined tags, choices."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from benchmark.interfaces import Info
from benchmark.probing import evaluate as evaluation
from benchmark.probing import mlp_probe
from benchmark.probing.evaluate import Trial, evaluate
from benchmark.probing.features import Features
from benchmark.probing.probe import L2S, MLP_GRID
from tasks.kinds.tagging import Tagging

Kind = Literal["linear", "mlp"]
KINDS: tuple[Kind, ...] = ("linear", "mlp")
TAGS = tuple(f"tag {i}" for i in range(12))
SPLITS = np.resize(np.repeat(["train", "val", "test"], [6, 2, 2]), 600)


class Tags(Tagging):
    info = Info("tags", "Tags", "this test")
    level = "style"
    corpus = "test"
    labels = ("tags",)
    classes = TAGS


def corpus(present: NDArray[np.bool_]) -> pd.DataFrame:
    names = np.array(TAGS, object)
    return pd.DataFrame(
        {
            "id": [str(i) for i in range(len(present))],
            "group": [str(i // 2) for i in range(len(present))],
            "split": SPLITS,
            "tags": [names[row].tolist() for row in present],
        }
    )


def tags_and_features() -> tuple[NDArray[np.bool_], Features]:
    """Tags from 1 % to 60 % that the features tell of."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(600, 12))
    present = hidden > np.quantile(hidden, 1 - np.geomspace(0.01, 0.6, 12), axis=0).diagonal()
    return present, Features.of((hidden + rng.normal(size=hidden.shape)).astype(np.float32))


def run(present: NDArray[np.bool_], features: Features, probe: Kind, seed: int = 0, **fractions: Any) -> Any:
    trial = Trial.of(Tags(), corpus(present), fractions or {0.01: 2, 1.0: 1}, shuffle_labels=False)
    return evaluate(trial, features, 25.0, [probe], seed, "cpu")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "BOOTSTRAP_DRAWS", 2)
    monkeypatch.setattr(mlp_probe, "STEPS", 50)


@pytest.mark.parametrize("probe", KINDS)
def test_same_seed_same_scores(probe: Kind) -> None:
    # mir_ref: two runs of one configuration differ
    tracks = tags_and_features()
    first, again = run(*tracks, probe), run(*tracks, probe)
    pd.testing.assert_frame_equal(first[0], again[0], check_exact=True)
    pd.testing.assert_frame_equal(first[1], again[1], check_exact=True)


def test_another_seed_is_another_draw() -> None:
    tracks = tags_and_features()
    values = [run(*tracks, "mlp", seed)[0]["value"].to_numpy() for seed in (0, 1)]
    assert not np.allclose(*values, atol=1e-6)


def test_resamples_differ() -> None:
    scores = run(*tags_and_features(), "linear")[0]
    small = scores[(scores["fraction"] == 0.01) & (scores["metric"] == "map")]
    assert small["resample"].tolist() == [0, 1]
    assert small["value"].nunique() == 2


@pytest.mark.parametrize("probe", KINDS)
def test_tags_that_a_split_lacks_are_left_out_of_the_mean_and_no_others(probe: Kind) -> None:
    # mtg-jamendo-dataset #15: a tag without a positive in some split is a crash
    present, features = tags_and_features()
    present[SPLITS == "train", 0] = False  # nobody can learn it, and still it counts
    present[SPLITS == "val", 1] = False
    present[SPLITS == "test", 2] = False
    present[SPLITS == "test", 3] = True
    present[:, 4] = False
    scores, predictions = run(present, features, probe)
    truth = present[SPLITS == "test"]
    for (fraction, resample), rows in predictions.groupby(["fraction", "resample"]):
        outputs = np.stack(rows["prediction"].to_list())
        assert np.isfinite(outputs).all()
        expected = [average_precision_score(truth[:, t], outputs[:, t]) for t in range(12) if t not in (2, 3, 4)]
        found = scores[
            (scores["fraction"] == fraction) & (scores["resample"] == resample) & (scores["metric"] == "map")
        ]
        assert found["value"].tolist() == pytest.approx([np.mean(expected)])


@pytest.mark.parametrize("probe", KINDS)
def test_a_score_that_is_not_defined_is_reported_as_such(probe: Kind) -> None:
    present, features = tags_and_features()
    present[SPLITS == "test"] = False
    scores, predictions = run(present, features, probe)
    assert set(scores["metric"]) == {"map", "roc_auc"}
    assert scores["value"].isna().all()
    assert scores["val_score"].notna().all()
    assert len(predictions) == 3 * (SPLITS == "test").sum()


@pytest.mark.parametrize(("probe", "grid"), [("linear", [(l2,) for l2 in L2S]), ("mlp", list(MLP_GRID))])
def test_the_choice_is_in_every_row(probe: Kind, grid: list[tuple[float, ...]]) -> None:
    # s3prl #268, MARBLE #7: nobody can tell which learning rate a published score was chosen with
    scores = run(*tags_and_features(), probe)[0]
    columns = ["l2"] if probe == "linear" else ["lr", "weight_decay"]
    assert set(map(tuple, scores[columns].to_numpy().tolist())) <= set(grid)
    assert scores[[*columns, "val_score", "n_train", "n_val"]].notna().all(axis=None)

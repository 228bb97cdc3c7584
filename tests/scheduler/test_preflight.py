"""The step before the long jobs finds what would fail in them."""

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.scheduler.jobs import run_job
from benchmark.scheduler.preflight import try_strategy, try_task
from benchmark.store.artefacts import Store, content_key
from benchmark.store.job import Job, Stores
from tasks.instrument import Instrument


def strategy(name, encoder, **options):
    torch.manual_seed(0)
    cls = registry.strategies.get(name)
    return cls(registry.encoders.get(encoder)(), cls.Config(**options))


@pytest.mark.parametrize("name", ["simclr", "cpc", "multi_source", "semisupcon", "mae"])
def test_what_works_passes(name):
    encoder = "vit" if name == "mae" else "cnn_small"
    try_strategy(strategy(name, encoder), "32-true", "cpu")


def test_an_encoder_too_coarse_for_the_task_is_found():
    with pytest.raises(ValueError, match=r"resnet cannot take the views of cpc.* Output size is too small"):
        try_strategy(strategy("cpc", "resnet"), "32-true", "cpu")


def test_a_loss_that_is_not_finite_is_found():
    broken = strategy("simclr", "cnn_small")
    with torch.no_grad():
        next(broken.encoder.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match="loss of the first step is nan"):
        try_strategy(broken, "32-true", "cpu")


def tracks():
    families = np.array(Instrument().classes)[np.arange(120) % len(Instrument().classes)]
    splits = np.repeat(["train", "val", "test", "transfer"], 30)
    known = {"id": [f"t{i}" for i in range(120)], "group": range(120), "split": splits, "family": families}
    return pd.DataFrame({**known, "program": np.arange(120) % 12})


def test_a_task_is_tried_on_its_labels_alone():
    try_task(Instrument(), tracks(), 0.5)


def test_what_a_task_says_its_items_are_of_must_be_there():
    with pytest.raises(ValueError, match="instrument: `crossed` names 'program', which no column of rendered"):
        try_task(Instrument(), tracks().drop(columns="program"), 0.5)


def test_a_task_whose_metric_fails_is_found():
    class Broken(Instrument):
        def item_scores(self, predictions, targets):
            raise ZeroDivisionError("no metric")

    with pytest.raises(ZeroDivisionError):
        try_task(Broken(), tracks(), 1.0)


@pytest.fixture
def trial(tmp_path):
    """The trial of a row that hears tags, beside a catalog: three families, and one mode each."""

    def run(**options):
        data, out = tmp_path / "data", tmp_path / "out"
        catalog = {"kind": "catalog", "corpus": "three families"}
        with Store(data).writing("catalog", content_key(catalog), catalog) as draft:
            table = tracks().assign(mode=tracks()["family"], metre="4/4")
            table.to_parquet(draft.path / "tracks.parquet")
        config = registry.strategies.get("semisupcon").Config(**options)
        parts = {"strategy": "semisupcon", "options": config.model_dump(mode="json"), "encoder": "cnn_small"}
        spec = {"kind": "preflight", **parts, "precision": "32-true", "needs": [content_key(catalog)]}
        job = Job(content_key(spec), "preflight", "preflight semisupcon on cnn_small", spec, tuple(spec["needs"]))
        run_job(job, data, out)
        return Stores(data, out).done(job)

    return run


def test_labels_of_the_catalog_are_looked_at_before_the_training(trial):
    """All share the metre, so two of the three tags by family and mode: three or one."""
    assert trial(threshold=3)
    with pytest.raises(UserError, match=r"threshold 4: no two of the 30 labeled .* at most 3; \d+ pairs share 1"):
        trial(threshold=4)
    with pytest.raises(UserError, match="no tag mood"):
        trial(tags=("mood",))

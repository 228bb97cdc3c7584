"""The step before the long jobs finds what would fail in them."""

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark import registry
from benchmark.scheduler.preflight import try_strategy, try_task
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
    return pd.DataFrame({"id": [f"t{i}" for i in range(120)], "group": range(120), "split": splits, "family": families})


def test_a_task_is_tried_on_its_labels_alone():
    try_task(Instrument(), tracks(), 0.5)


def test_a_task_whose_metric_fails_is_found():
    class Broken(Instrument):
        def item_scores(self, predictions, targets):
            raise ZeroDivisionError("no metric")

    with pytest.raises(ZeroDivisionError):
        try_task(Broken(), tracks(), 1.0)

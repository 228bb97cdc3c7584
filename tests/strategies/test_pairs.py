"""Two views in one forward or one each: under BatchNorm different objectives, so every strategy's choice is pinned."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark import registry
from benchmark.encoders.cnn_small import CNNSmall
from benchmark.encoders.cqt_cnn import CQTCNN
from benchmark.modules import Strategy
from benchmark.scheduler.grid_files import load
from benchmark.scheduler.planning.rows import rows
from benchmark.testing import check_strategy, random_batch

FUSED = ("simclr", "cola", "semisupcon", "masked_contrastive", "multi_source")
SPLIT = ("byol", "dino", "barlow_twins", "vicreg")
WITHIN = {"negatives": "within", "positives": "self", "others": 2, "seconds": 0.5}
BOTH = [*((name, {"seconds": 0.5}) for name in (*FUSED, *SPLIT)), ("simclr", WITHIN)]
#: rows of the papers' grids that are not as their strategy's default has it
SPLIT_ROWS = {
    *(("clmr", row) for row in ("clmr", "clmr_no_pitch_shift")),
    ("multiview", "contrastive"),
    *(("choi", row) for row in ("self", "adjacent", "random_crop", "disjoint", "within_track")),
}
each_pair = pytest.mark.parametrize(("name", "options"), BOTH, ids=[*FUSED, *SPLIT, "simclr-within"])


class Counting(CNNSmall):
    """Notes how many examples each forward of the body holds."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def body(self, features: Tensor) -> Tensor:
        self.sizes.append(len(features))
        return super().body(features)


def _built(name: str, **options: Any) -> tuple[Strategy, dict[str, Tensor]]:
    """A strategy and views of 8 tracks."""
    torch.manual_seed(0)
    cls = registry.strategies.get(name)
    encoder = Counting()
    strategy = cls(encoder, cls.Config(**options))
    batch = random_batch(cls.crops(strategy.config), encoder.sample_rate)
    return strategy, strategy.views(batch, torch.Generator().manual_seed(0))


def _both(name: str, options: dict[str, Any]) -> tuple[tuple[Strategy, Strategy], dict[str, Tensor]]:
    """One set of weights and views, heard by a strategy in one forward and by its twin in one each."""
    fused, views = _built(name, **options, fuse_views=True)
    split = copy.deepcopy(fused)
    split.config = fused.config.model_copy(update={"fuse_views": False})
    return (fused, split), views


@pytest.mark.parametrize(("name", "sizes"), [*((n, [16]) for n in FUSED), *((n, [8, 8]) for n in SPLIT)])
def test_batch_norm_sees_the_views_as_in_the_paper(name: str, sizes: list[int]) -> None:
    strategy, views = _built(name, seconds=0.5)
    strategy.embed(views)
    assert strategy.encoder.sizes == sizes


@each_pair
def test_either_way_is_an_option_that_teacher_and_student_follow(name: str, options: dict[str, Any]) -> None:
    (fused, split), views = _both(name, options)
    others = 8 * options.get("others", 0)
    for strategy, sizes in ((fused, [16 + others]), (split, [8 + others, 8])):
        strategy.embed(views)
        assert strategy.encoder.sizes == sizes
        if name in ("byol", "dino"):
            assert strategy.teacher.encoder.sizes == sizes


@each_pair
def test_the_two_ways_differ_by_batch_norm_alone(name: str, options: dict[str, Any]) -> None:
    """As BatchNorm trains, by its statistics; in evaluation mode, not at all."""
    strategies, views = _both(name, options)
    for training in (True, False):
        with torch.no_grad():
            one, two = (strategy.train(training).embed(views) for strategy in copy.deepcopy(strategies))
        for key in one.keys() - {"active", "labels"}:
            gap = float((one[key] - two[key]).norm() / one[key].norm())
            assert gap > 1e-3 if training else gap < 1e-5, (key, training, gap)


@each_pair
def test_a_view_of_its_own_forward_hears_nothing_of_the_other(name: str, options: dict[str, Any]) -> None:
    first, second = ("mixture", "source") if name == "multi_source" else ("a", "b")
    (together, apart), views = _both(name, options)
    for strategy, fused in ((together, True), (apart, False)):
        heard = views | {second: views[second].clone().requires_grad_()}
        (gradient,) = torch.autograd.grad(strategy.embed(heard)[first].square().sum(), heard[second], allow_unused=True)
        assert (gradient is not None and gradient.norm() > 0) == fused


def test_negatives_within_a_track_are_heard_beside_the_anchor() -> None:
    """As in Choi et al.'s code, which embeds the anchor's whole track at once, and the positive's after it."""
    (_, apart), views = _both("simclr", WITHIN)
    heard = {key: view.clone().requires_grad_() for key, view in views.items()}
    others = apart.embed(heard)["others"].square().sum()
    beside, elsewhere = torch.autograd.grad(others, [heard["a"], heard["b"]], allow_unused=True)
    assert beside.norm() > 0
    assert elsewhere is None


@each_pair
def test_either_way_keeps_the_contract(name: str, options: dict[str, Any]) -> None:
    cls = registry.strategies.get(name)
    check_strategy(cls, CNNSmall, cls.Config(**options, fuse_views=name not in FUSED))


@pytest.mark.parametrize("grid", ["clmr", "choi", "multiview", "multisource", "semisupcon"])
def test_each_row_of_a_papers_grid_does_as_the_papers_code(grid: str) -> None:
    fused = {row.name: row.config.fuse_views for row in rows(load(grid)) if hasattr(row.config, "fuse_views")}
    assert set(fused.values()) == {grid in ("multisource", "semisupcon")}


def test_where_a_grid_departs_from_its_strategys_default() -> None:
    """Chen et al.'s SimCLR concatenates its views; CLMR, the multi-view study and Choi et al. do not."""
    departs = {
        (grid, row.name)
        for grid in ("clmr", "choi", "multiview", "multisource", "semisupcon")
        for row in rows(load(grid))
        if hasattr(row.config, "fuse_views") and row.config.fuse_views != row.cls.Config().fuse_views
    }
    assert departs == SPLIT_ROWS


class CountingMaps(CQTCNN):
    """Notes how many examples each forward to its pitch maps holds."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def pitch_maps(self, features: Tensor) -> Tensor:
        self.sizes.append(len(features))
        return super().pitch_maps(features)


@pytest.mark.parametrize("name", ["pesto", "stone"])
def test_transposed_views_share_one_forward(name: str) -> None:
    """The papers' networks have no BatchNorm; here all three views share its statistics."""
    torch.manual_seed(0)
    cls, encoder = registry.strategies.get(name), CountingMaps()
    strategy = cls(encoder, cls.Config())
    batch = random_batch(cls.crops(strategy.config), encoder.sample_rate)
    strategy.embed(strategy.views(batch, torch.Generator().manual_seed(0)))
    assert encoder.sizes == [24]


@pytest.mark.parametrize(("name", "encoder"), [("masked_contrastive", CNNSmall), ("stone", CQTCNN)])
def test_one_crop_is_enough_where_views_differ_by_more_than_augmentation(name: str, encoder: type[CNNSmall]) -> None:
    """What is hidden of it, or its pitch; `test_plan` has those that would compare a crop with itself."""
    cls = registry.strategies.get(name)
    check_strategy(cls, encoder, cls.Config(positives="self"))

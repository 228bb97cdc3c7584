"""Planted scores come out of each published claim as planted; what is missing, thin or hostile stays undecided."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import planted
from helpers.forked import quick
from scipy.stats import ttest_1samp

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.leaderboard.claims import claim as claims
from benchmark.leaderboard.claims import published
from benchmark.leaderboard.claims.interaction import interaction
from benchmark.leaderboard.claims.speed import reached
from benchmark.leaderboard.record import Run, StrategyNote, TaskNote
from benchmark.leaderboard.statistics.evidence import Comparison, Estimate, Evidence, compare, estimate
from benchmark.leaderboard.statistics.stats import read_scores, with_draws
from benchmark.registry import Registry

ROOT = Path(__file__).resolve().parents[3]
LEVELS = {"instrument": "timbre", "collection": "style", "key": "pitch", "melody": "pitch", "beat": "time"}
CONTRAST = ["simclr", "byol", "barlow_twins", "vicreg", "dino"]
FRACTIONS = {0.01: 3, 1.0: 1}


def record(names, heard=(), **notes) -> Run:
    strategies: dict[str, StrategyNote] = {name: StrategyNote(trains=name != "supervised") for name in names}
    if "semisupcon" in strategies:
        strategies["semisupcon"] = StrategyNote(heard=list(heard), heard_share=0.5)
    tasks = {t: TaskNote(metric="accuracy", level=level, labels=[f"c/{t}"]) for t, level in LEVELS.items()}
    return Run(fractions=list(FRACTIONS), probes=["linear", "mlp"], strategies={**strategies, **notes}, tasks=tasks)


def table(
    levels, seeds=3, noise=0.002, stderr=0.002, conditions=(("", 0),), fractions=FRACTIONS, draw=3
) -> pd.DataFrame:
    """Scores with planted means: `levels[row]`, or `levels[row][task]`; every run deviates by reproducible noise."""
    rng, rows = np.random.default_rng(draw), []
    for (name, level), task, (fraction, draws), condition in itertools.product(
        levels.items(), LEVELS, fractions.items(), conditions
    ):
        mean = level.get(task, 0.5) if isinstance(level, dict) else level
        for resample, seed in itertools.product(range(draws), range(seeds)):
            row = planted._row(name, task, 1.0, resample, seed, "linear", stderr)
            row |= {"encoder": "cnn_small", "fraction": fraction, "corruption": condition[0], "severity": condition[1]}
            row |= {"pretrain_corpus": "none" if name in ("supervised", "random") else "rendered_scores"}
            for metric, value in (("accuracy", mean + noise * rng.normal()), ("another", 1 - mean)):
                rows += [
                    {**row, "metric": metric, "value": value},
                    {**row, "probe": "mlp", "metric": metric, "value": 0.1},
                ]
    return pd.DataFrame(rows)


def words(levels, *classes, run=None, **options):
    run = run or record(levels)
    return [verdict.word for _, verdict in claims.check_all(table(levels, **options), run, classes)]


# ---- each claim, planted three ways


@pytest.mark.parametrize(
    ("gap", "noise", "word"), [(0.1, 0.002, "supported"), (-0.1, 0.002, "contradicted"), (0.02, 0.1, "undecided")]
)
def test_pretraining_against_supervision(gap, noise, word):
    assert words({"simclr": 0.5 + gap, "supervised": 0.5}, published.FewLabels, noise=noise) == [word]


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize(("dino", "word"), [(0.5, "supported"), (0.7, "contradicted"), (0.6, "undecided")])
def test_contrastive_leads_only_if_it_beats_each_of_the_four(dino, word, few):
    levels = {**dict.fromkeys(CONTRAST, 0.4), "simclr": 0.6, "dino": dino}
    claim = published.ContrastiveLeadsWithFewLabels if few else published.ContrastiveLeadsWithAllLabels
    (_, verdict), *_ = claims.check_all(table(levels), record(levels), [claim])
    assert verdict.word == word
    assert verdict.compared == "simclr against dino"
    assert verdict.estimate.effect == pytest.approx(0.6 - dino, abs=0.005)
    assert verdict.tasks == ("collection", "instrument")  # tagging-like alone
    assert verdict.estimate.runs == (9 if few else 3)


@pytest.mark.parametrize(("gap", "word"), [(0.1, "supported"), (-0.1, "contradicted"), (0.0, "undecided")])
def test_labels_in_pretraining_count_on_tasks_that_they_are_not_of(gap, word):
    # the labels of one were heard, those of the other follow from them: either would decide if it were not left out
    own = {"instrument": 0.9, "collection": 0.9}
    levels = {"semisupcon": {**dict.fromkeys(LEVELS, 0.5 + gap), **own}, "simclr": 0.5}
    run = record(levels, heard=["c/instrument"])
    run.tasks["collection"].told_by = ["c/instrument"]
    (_, verdict), *_ = claims.check_all(table(levels), run, [published.LabelsHelpDownstream])
    assert verdict.word == word
    assert set(verdict.tasks) == set(LEVELS) - set(own)
    assert verdict.estimate.effect == pytest.approx(gap, abs=0.005)


@pytest.mark.parametrize(("gap", "word"), [(0.1, "supported"), (-0.1, "contradicted"), (0.0, "undecided")])
def test_labels_in_pretraining_under_corruption_read_corrupted_audio_alone(gap, word):
    clean = table({"semisupcon": 0.5 - gap, "simclr": 0.5})
    bad = table({"semisupcon": 0.3 + gap, "simclr": 0.3}, conditions=[("noise", 1), ("noise", 4), ("reverb", 2)])
    run = record(["semisupcon", "simclr"], heard=["c/instrument"])
    verdict = published.LabelsHelpUnderCorruption().check(pd.concat([clean, bad], ignore_index=True), run)
    assert verdict.word == word
    assert verdict.estimate.effect == pytest.approx(gap, abs=0.005)


def curves(head_start):
    """Both end at 0.6; multi_source is `head_start` octaves ahead on the way."""
    parts = []
    for crops in (1000, 2000, 4000, 8000, 16000):
        way = np.log2(crops / 16000)
        levels = {"multi_source": 0.6 + 0.05 * min(way + head_start, 0), "cola": 0.6 + 0.05 * way}
        parts.append(table(levels, noise=0.0005).assign(crops=crops))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(("ahead", "word"), [(2, "supported"), (-2, "contradicted")])
def test_fewer_updates_are_counted_in_octaves(ahead, word):
    scores = curves(2)
    if ahead < 0:
        scores["strategy"] = scores["strategy"].map({"multi_source": "cola", "cola": "multi_source"})
    verdict = published.FewerUpdates().check(scores, record(["multi_source", "cola"]))
    assert verdict.word == word
    assert verdict.estimate.effect == pytest.approx(ahead, abs=0.15)


def test_curves_that_cross_nowhere_in_particular_leave_the_updates_undecided():
    parts = [table({"multi_source": m, "cola": m}, noise=0.02).assign(crops=c) for m, c in ((0.4, 1000), (0.6, 8000))]
    scores = pd.concat(parts, ignore_index=True)
    assert published.FewerUpdates().check(scores, record(["multi_source", "cola"])).word == "undecided"


def test_a_score_is_reached_where_the_curve_first_crosses_it():
    curve = pd.Series([0.1, 0.3, 0.2, 0.5], index=[1000.0, 2000.0, 4000.0, 8000.0])
    assert 2 ** reached(curve, 0.2) == pytest.approx(1000 * 2**0.5)
    assert 2 ** reached(curve, 0.5) == pytest.approx(8000)
    assert 2 ** reached(curve, 0.05) == pytest.approx(1000)


@pytest.mark.parametrize(("gap", "word"), [(0.1, "supported"), (-0.1, "contradicted"), (0.0, "undecided")])
def test_steering_is_read_on_the_tasks_of_the_source(gap, word):
    own = {"lead": ["melody", "instrument"], "drums": ["beat"]}
    levels = {f"{s}_only": {t: 0.5 + gap if t in ts else 0.5 - gap for t in LEVELS} for s, ts in own.items()}
    steered = {f"{s}_only": StrategyNote(method="multi_source", options={"seconds": 1.0, "sources": [s]}) for s in own}
    whole = StrategyNote(method="multi_source", options={"seconds": 1.0})
    other = StrategyNote(method="multi_source", options={})
    run = record(["random"], **steered, all_sources=whole, plain=other)
    scores = table({**levels, "all_sources": 0.5, "plain": 0.9})
    verdict = published.Steering().check(scores, run)
    assert verdict.word == word
    assert set(verdict.tasks) == {"melody", "instrument", "beat"}
    half = published.Steering().check(scores[scores["strategy"] != "drums_only"], run)
    assert half.missing == ("multi_source with [drums] alone, on its tasks",)
    assert half.word != "supported", "the statement is about both"
    lone = published.Steering().check(scores[scores["strategy"] != "all_sources"], run)
    assert lone.word == "cannot be tested here"
    assert any("otherwise the options of lead_only" in text for text in lone.missing)


def test_the_best_strategy_differs_by_task_or_does_not():
    names, tasks = ["a", "b", "c", "d"], list(LEVELS)
    specialists = {n: {t: 0.7 if i == j % 4 else 0.5 for j, t in enumerate(tasks)} for i, n in enumerate(names)}
    assert words(specialists, published.BestDiffers) == ["supported"]
    assert words({"a": 0.7, "b": 0.6, "c": 0.5}, published.BestDiffers) == ["contradicted"]
    assert words(dict.fromkeys(names, 0.5), published.BestDiffers, noise=0.05) == ["undecided"]


def test_rows_on_another_encoder_take_no_part_in_whether_the_best_differs_and_leave_the_others_theirs():
    names, tasks = ["a", "b", "c", "d"], list(LEVELS)
    levels = {n: {t: 0.7 if i == j % 4 else 0.5 for j, t in enumerate(tasks)} for i, n in enumerate(names)}
    scores, other = table(levels), table({"pesto": 0.6}).assign(encoder="cqt_cnn")
    for more in (other, pd.concat([other, table({"a": 0.6}).assign(encoder="cqt_cnn")])):
        both = pd.concat([scores, more], ignore_index=True)
        (_, verdict), *_ = claims.check_all(both, record([*names, "pesto"]), [published.BestDiffers])
        assert verdict.word == "supported"
        assert "Left out, not on the encoders and corpora of most: pesto." in verdict.notes
        assert "At 100% of the labels, 4 strategies." in verdict.notes


def test_a_run_that_is_missing_after_one_budget_is_not_made_up_for_by_another():
    """Both budgets are on the way to the leaderboard's: their runs are not counted together."""
    names = {"simclr": StrategyNote(seeds=3, draws={1.0: 1, 0.01: 3})}
    parts = [table({"simclr": 0.5}).assign(share=share, crops=1000 * share) for share in (0.25, 0.5, 1.0)]
    scores = pd.concat(parts, ignore_index=True)
    lacks = scores[(scores["share"] != 0.25) | (scores["seed"] != 1)]
    known = Evidence.of(lacks, record([], **names)).table
    told = known["value"].notna().groupby(known["crops"]).all().to_dict()
    assert told == {250.0: False, 500.0: True, 1000.0: True}


def test_an_interaction_that_leaves_the_best_the_best_is_no_support():
    levels = {**{name: 0.4 + 0.01 * i for i, name in enumerate("bcdefgh")}, "a": dict.fromkeys(LEVELS, 0.6)}
    levels["a"]["key"] = 0.9
    (_, verdict), *_ = claims.check_all(table(levels), record(levels), [published.BestDiffers])
    assert verdict.word == "contradicted"
    assert verdict.notes[-2] < "Interaction: p = 0.05"


def test_choosing_by_task_gains_nothing_where_all_are_alike():
    """The highest of noisy means is too high by 0.02 here; on seeds that the choice did not hear it is not."""
    levels = dict.fromkeys("abcdef", 0.5)
    gains = [
        published.BestDiffers().check(table(levels, noise=0.05, draw=i), record(levels)).estimate.effect
        for i in range(10)
    ]
    assert abs(np.mean(gains)) < 0.01


# ---- the statistics behind the words


def test_the_interval_is_students_where_seeds_are_all_that_varies():
    values = [0.02, 0.05, 0.03, 0.06]
    pairs = pd.DataFrame({"difference": values, "seed": range(4), "resample": 0, "stderr": 0.0, "draws": None})
    known = ttest_1samp(values, 0)
    found = estimate(pairs)
    assert (found.low, found.high) == pytest.approx(tuple(known.confidence_interval()))
    assert found.p == pytest.approx(known.pvalue)


@pytest.mark.parametrize(
    ("seeds", "draws"), [pytest.param(3, 1, marks=pytest.mark.long), (3, 3), pytest.param(5, 3, marks=pytest.mark.long)]
)
def test_a_true_tie_is_called_a_difference_in_at_most_one_of_twenty(seeds, draws):
    """600 experiments with effects of the test set, the seed and the label draw, and a rest."""
    rng, wrong = np.random.default_rng(5), 0
    for _ in range(600):
        d = 0.01 * (rng.normal() + rng.normal(size=(seeds, 1)) + rng.normal(size=draws)[None] * (draws > 1))
        d = d + 0.01 * rng.normal(size=(seeds, draws))
        rows = [(d[s, r], s, r) for s, r in itertools.product(range(seeds), range(draws))]
        pairs = pd.DataFrame(rows, columns=["difference", "seed", "resample"]).assign(stderr=0.01, draws=None)
        wrong += estimate(pairs).p < 0.05
    assert wrong / 600 < 0.075  # 0.05 and three standard errors


def with_luck(world: int, groups: int = 60) -> pd.DataFrame:
    """Equal strategies; each one's luck with the test items is the same for all its seeds, and its draws show it."""
    rng, rows = np.random.default_rng(world), []
    chosen = {task: rng.integers(0, groups, (100, groups)) for task in LEVELS}
    for name, task in itertools.product("abcdefghijkl", LEVELS):
        luck = 0.4 * rng.normal(size=groups)
        for seed in range(3):
            items = 0.5 + luck + 0.1 * rng.normal(size=groups)
            row = planted._row(name, task, 1.0, 0, seed, "linear", float(items.std() / np.sqrt(groups)))
            row |= {"encoder": "cnn_small", "pretrain_corpus": "rendered_scores", "metric": "accuracy"}
            draws = items[chosen[task]].mean(axis=1)
            rows.append({**row, "value": items.mean(), "draws": draws, "groups": groups})
    return pd.DataFrame(rows)


def test_luck_with_the_test_items_is_no_reason_to_choose_by_task():
    """All seeds share the items, so that luck with them is in each seed: it must not look like a gain."""
    found = [published.BestDiffers().check(with_luck(world), record("abcdefghijkl")) for world in range(12)]
    gains = np.array([verdict.estimate.effect for verdict in found])
    assert abs(gains.mean()) < 0.025, "0.05 if the luck were left in"
    assert sum(verdict.word == "supported" for verdict in found) <= 2


def test_interaction_is_exact_without_one_and_sees_a_planted_one():
    rng = np.random.default_rng(2)
    main = rng.normal(size=(6, 1, 1)) + rng.normal(size=(1, 1, 4))
    quiet = [interaction(main + rng.normal(size=(1, 3, 4)) + rng.normal(size=(6, 3, 4))) for _ in range(150)]
    assert 0.0 < np.mean(np.array(quiet) < 0.1) < 0.18
    assert interaction(main + rng.normal(size=(6, 3, 4)) + 5 * rng.normal(size=(6, 1, 4))) < 0.01


def test_common_test_items_cancel_where_bootstrap_draws_are_known():
    levels = {"simclr": 0.52, "supervised": 0.5}
    scores = table(levels, stderr=0.05)
    shared = np.random.default_rng(1).normal(scale=0.05, size=100)
    draws = scores[scores["metric"] == "accuracy"].copy()
    draws["draws"], draws["groups"] = [value + shared for value in draws["value"]], 500
    bounded, paired = (published.FewLabels().check(t, record(levels)) for t in (scores, with_draws(scores, draws)))
    assert (bounded.word, paired.word) == ("undecided", "supported")
    assert any("bounded" in note for note in bounded.notes)
    assert not paired.notes[1:]


def test_a_task_whose_scores_are_another_ones_upside_down_adds_nothing():
    """Its draws turn with its scores: the mean of both is that of one, and as sure."""
    scores = with_luck(0)
    scores = scores[scores["task"] == "key"]
    mirror = scores.assign(task="beat", value=1 - scores["value"], draws=[1 - own for own in scores["draws"]])
    run = record("ab")
    run.tasks["beat"] = run.tasks["beat"].model_copy(update={"higher_is_better": False})
    one, both = (compare(Evidence.of(table, run), "a", "b") for table in (scores, pd.concat([scores, mirror])))
    assert both.over.p == pytest.approx(one.over.p)
    assert both.over.high == pytest.approx(one.over.high)


def test_seeds_that_happen_to_agree_are_no_surer_than_the_test_items_leave_them():
    """Every run has its own luck with 60 items, which draws show; three equal differences do not undo it."""
    rng = np.random.default_rng(0)
    luck = 0.4 * rng.normal(size=(3, 60))
    chosen = rng.integers(0, 60, (200, 60))
    draws = [(own - own.mean())[chosen].mean(axis=1) for own in luck]
    pairs = pd.DataFrame(
        {"difference": [0.2, 0.2, 0.2], "seed": range(3), "resample": 0, "stderr": 0.05, "draws": draws}
    )
    found = estimate(pairs.assign(groups=60))
    least = 0.4 / np.sqrt(60) / np.sqrt(3)
    assert found.high - found.effect > 1.96 * 0.8 * least


def test_holm_decides_the_word_for_a_single_task():
    def on(p):
        return Estimate(0.1, 0.01, 0.19, p, 9, 3)

    thin = Comparison("a against b", on(0.01), {"key": on(0.03), "beat": on(0.02), "melody": on(0.4)})
    assert [part.word for part in claims.judge([thin]).parts] == ["undecided"] * 3
    sure = Comparison("a against b", on(0.01), {"key": on(0.03), "beat": on(0.01), "melody": on(0.4)})
    assert [part.word for part in claims.judge([sure]).parts] == ["undecided", "supported", "undecided"]


def test_one_rival_of_many_contradicts_only_beyond_the_correction():
    def loses(p):
        return Comparison("a against b", Estimate(-0.1, -0.19, -0.01, p, 9, 3), {})

    wins = [Comparison(f"a against {i}", Estimate(0.1, 0.01, 0.19, 0.5, 9, 3), {}) for i in range(3)]
    assert claims.judge([loses(0.03), *wins]).word == "undecided"
    assert claims.judge([loses(0.01), *wins]).word == "contradicted"


def test_words_for_single_tasks_are_those_of_their_own_differences():
    levels = {"simclr": {"instrument": 0.57, "collection": 0.43, "key": 0.9}, "supervised": 0.5}
    (_, verdict), *_ = claims.check_all(table(levels), record(levels), [published.FewLabels])
    found = {part.name.split(": ")[1]: part for part in verdict.parts}
    assert {name: part.word for name, part in found.items() if part.word != "undecided"} == {
        "instrument": "supported",
        "collection": "contradicted",
    }  # and nothing of key, which is no tagging
    assert all(part.p >= part.estimate.p for part in found.values())
    assert verdict.word == "undecided"


# ---- what is thin, absent, broken or hostile


def test_one_seed_decides_nothing_however_large_the_gap():
    levels = {**dict.fromkeys(CONTRAST, 0.1), "simclr": 0.9, "supervised": 0.1, "semisupcon": 0.99}
    scores = table(levels, seeds=1)
    for _, verdict in claims.check_all(scores, record(levels), every()):
        assert verdict.word in ("undecided", "cannot be tested here")
        assert np.isnan(verdict.estimate.low)


def test_unknown_test_sampling_decides_nothing():
    scores = table({"simclr": 0.9, "supervised": 0.1}).drop(columns="test_stderr")
    verdict = published.FewLabels().check(scores, record(["simclr", "supervised"]))
    assert verdict.word == "undecided"
    assert any("other test items" in note for note in verdict.notes)


def test_missing_rows_are_named():
    levels = {"simclr": 0.6, "byol": 0.5}
    scores, run = table(levels), record(levels)
    found = {claim.info.name: verdict for claim, verdict in claims.check_all(scores, run, every())}
    assert found["clmr_few_labels"].word == "cannot be tested here"
    assert found["clmr_few_labels"].missing == ("scores of supervised",)
    # Part of the four: not enough to support, though enough to contradict.
    assert found["multiview_all_labels"].word == "undecided"
    assert "scores of dino" in found["multiview_all_labels"].missing
    assert found["semisupcon_corruption"].missing == ("scores under corruption (severity above 0)",)
    assert found["mscol_updates"].missing == ("scores of multi_source", "scores of cola")
    lost = published.ContrastiveLeadsWithAllLabels().check(table({"simclr": 0.5, "byol": 0.6}), run)
    assert lost.word == "contradicted"


def test_without_one_percent_the_smallest_fraction_up_to_ten_stands_for_it_and_says_so():
    levels = {"simclr": 0.6, "supervised": 0.5}
    some = published.FewLabels().check(table(levels, fractions={0.05: 3, 0.1: 3, 1.0: 1}), record(levels))
    assert some.word == "supported"
    assert some.notes[0].startswith("At 5% of the labels")
    none = published.FewLabels().check(table(levels, fractions={0.2: 3, 1.0: 1}), record(levels))
    assert none.word == "cannot be tested here"


def test_a_run_that_diverged_takes_its_task_out():
    levels = {"simclr": 0.6, "supervised": 0.5}
    scores = table(levels)
    at = scores.index[
        (scores["task"] == "collection") & (scores["strategy"] == "simclr") & (scores["metric"] == "accuracy")
    ]
    scores.loc[at, "value"] = scores.loc[at, "value"].where(scores.loc[at, "seed"] > 0)
    verdict = published.FewLabels().check(scores, record(levels))
    assert verdict.tasks == ("instrument",)
    assert any("missing or no number: collection" in note for note in verdict.notes)
    # without the rows, as a failed job leaves it: the same, where the record says how many were planned
    run = record(levels)
    run.resamples = list(FRACTIONS.values())
    run.strategies = {name: StrategyNote(seeds=3) for name in levels}
    assert published.FewLabels().check(scores.dropna(subset="value"), run).tasks == ("instrument",)
    assert published.FewLabels().check(table(levels), run).tasks == ("collection", "instrument")


def test_an_encoder_on_the_way_does_not_stand_for_the_final_one():
    levels = {"semisupcon": 0.6, "simclr": 0.6}
    scores = table(levels).assign(share=1.0, crops=1000.0)
    half = scores[scores["strategy"] == "semisupcon"].assign(share=0.5, crops=500.0, value=0.4)
    part = pd.concat([scores[scores["strategy"] == "simclr"], half], ignore_index=True)
    run = record(levels, heard=["c/instrument"])
    assert published.LabelsHelpDownstream().check(part, run).word == "cannot be tested here"
    assert published.LabelsHelpDownstream().check(pd.concat([scores, half]), run).word == "undecided"


def test_few_labels_do_not_stand_for_all():
    levels = {**dict.fromkeys(CONTRAST, 0.4), "simclr": 0.6}
    scores, run = table(levels, fractions={0.1: 3}), record(levels)
    assert published.ContrastiveLeadsWithFewLabels().check(scores, run).word == "supported"
    assert published.ContrastiveLeadsWithAllLabels().check(scores, run).missing == ("scores with all labels",)


def test_the_verdict_shows_the_comparison_that_left_it_open():
    sure = Estimate(0.02, 0.01, 0.03, 0.001, 9, 3)
    vague = Estimate(0.05, -0.01, 0.11, 0.1, 9, 3)
    verdict = claims.judge([Comparison("sure", sure, {}), Comparison("vague", vague, {})])
    assert (verdict.word, verdict.compared) == ("undecided", "vague")


def test_linear_probes_stand_for_all_whatever_the_order_in_the_grid():
    levels = {"simclr": 0.6, "supervised": 0.5}
    scores = table(levels)  # with every MLP at .1
    for probes in (["linear", "mlp"], ["mlp", "linear"]):
        run = record(levels)
        run.probes = probes
        assert published.FewLabels().check(scores, run).word == "supported"


def test_lower_is_better_turns_the_sign():
    levels = {"simclr": 0.4, "supervised": 0.5}
    run = record(levels)
    run.tasks.update({name: note.model_copy(update={"higher_is_better": False}) for name, note in run.tasks.items()})
    assert words(levels, published.FewLabels, run=run) == ["supported"]


def test_encoders_are_never_compared_with_each_other():
    small = table({"simclr": 0.6, "supervised": 0.5})
    other = small.assign(encoder="vit", value=1 - small["value"])
    mixed = pd.concat([small[small["strategy"] == "simclr"], other[other["strategy"] == "supervised"]])
    evidence = Evidence.of(mixed, record(["simclr", "supervised"])).final
    assert compare(evidence.at(1.0), "simclr", "supervised") is None
    both = Evidence.of(pd.concat([small, other], ignore_index=True), record(["simclr", "supervised"])).final
    found = compare(both.at(1.0), "simclr", "supervised")
    assert found is not None
    assert found.by_task["key on cnn_small on rendered_scores"].effect > 0.09
    assert found.by_task["key on vit on rendered_scores"].effect < -0.09


def test_hostile_names_pass_through_as_they_are():
    subject, task = planted.HOSTILE, "{0.__class__}%s" + planted.HOSTILE
    scores = table({subject: 0.6, "supervised": 0.5})
    scores["task"] = scores["task"].replace("key", task)
    run = record(["supervised"], **{subject: StrategyNote(method="simclr")})
    run.tasks[task] = TaskNote(metric="accuracy", level="timbre")
    verdict = published.FewLabels().check(scores, run)
    assert verdict.word == "supported"
    assert verdict.compared == f"{subject} against supervised"
    assert task in verdict.tasks
    assert len(claims.check_all(scores, run, every())) == len(every())


def test_an_empty_table_and_an_empty_record_test_nothing():
    empty = table({"simclr": 0.5}).iloc[:0]
    assert {v.word for _, v in claims.check_all(empty, Run(), every())} == {"cannot be tested here"}
    full = table({**dict.fromkeys(CONTRAST, 0.5)})
    assert all(v.word for _, v in claims.check_all(full, Run(), every()))


def test_same_scores_same_verdicts_whatever_the_order_of_the_rows():
    levels = {**dict.fromkeys(CONTRAST, 0.5), "supervised": 0.45, "simclr": 0.52}
    scores, run = table(levels, noise=0.02), record(levels)
    once, again = (claims.frame(claims.check_all(s, run, every())) for s in (scores, scores.copy()))
    pd.testing.assert_frame_equal(once, again, check_exact=True)
    shuffled = claims.frame(claims.check_all(scores.sample(frac=1, random_state=0), run, every()))
    pd.testing.assert_frame_equal(once, shuffled, rtol=1e-9)
    assert once.to_csv(index=False).count("\n") >= len(every())


# ---- claims by entry point


def every() -> list[type[claims.Claim]]:
    own = (c for c in vars(published).values() if isinstance(c, type) and issubclass(c, claims.Claim))
    return [c for c in own if "info" in vars(c)]


def test_every_published_claim_is_an_entry_point_and_says_who_it_is():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    declared = {c.info.name: f"{c.__module__}:{c.__name__}" for c in every()}
    assert len(declared) == len(every()) == 8
    assert project["benchmark.claims"] == declared
    for claim in every():
        assert all((claim.info.title, claim.info.citation, claim.statement, claim.measured, claim.needs))
        assert claim.__doc__


PLUGIN = """
from benchmark.interfaces import Info
from benchmark.leaderboard.claims.claim import Claim, Verdict, judge
from benchmark.leaderboard.statistics.evidence import Evidence, compare


class RandomIsWorse(Claim):
    info = Info("random_is_worse", "An untrained encoder is worse", "Somebody 2026")
    statement = "SimCLR beats an untrained encoder."
    measured = "Nothing."
    needs = "simclr and random"

    def check(self, scores, run):
        if "broken" in run.grid:
            raise ZeroDivisionError("by hand")
        return judge([compare(Evidence.of(scores, run).final.at(1.0), "simclr", "random")])
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed distribution with a claim of its own."""
    (tmp_path / "a_claim.py").write_text(PLUGIN)
    about = tmp_path / "a_claim-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: a-claim\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[benchmark.claims]\nrandom_is_worse = a_claim:RandomIsWorse\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "claims", Registry("claims"))
    return tmp_path


def test_a_plugin_adds_a_claim(plugin):
    levels = {"simclr": 0.6, "random": 0.5}
    checked = claims.check_all(table(levels), record(levels))
    verdicts = {claim.info.name: verdict for claim, verdict in checked}
    assert verdicts["random_is_worse"].word == "supported"
    assert [claim.info.name for claim, _ in checked] == sorted(verdicts)


def test_a_claim_that_fails_is_named(plugin):
    run = record(["simclr", "random"])
    run.grid = "broken"
    with pytest.raises(UserError, match=r"claim 'random_is_worse' \(a_claim\).*by hand"):
        claims.check_all(table({"simclr": 0.6, "random": 0.5}), run, [registry.claims.get("random_is_worse")])


def test_a_file_adds_a_claim_to_a_report(tmp_path):
    """Without packaging: `report --plugin FILE`, and `list claims` names what there is."""
    levels = {"simclr": 0.6, "random": 0.5}
    planted.write(tmp_path, table(levels), record(levels).model_dump(mode="json"))
    (tmp_path / "a_claim.py").write_text(PLUGIN)
    done = quick("report", str(tmp_path), "--plugin", str(tmp_path / "a_claim.py"))
    assert done.returncode == 0, done.stderr
    assert "SimCLR beats an untrained encoder." in (tmp_path / "leaderboard.html").read_text()
    listed = quick("list", "claims").stdout
    assert sorted(line.split()[0] for line in listed.splitlines()) == sorted(c.info.name for c in every())


def test_stored_draws_are_read_beside_the_scores(tmp_path):
    scores = table({"simclr": 0.6, "supervised": 0.5}, conditions=[("", 0), ("noise", 1)])
    planted.write(tmp_path, scores)
    assert "draws" not in read_scores(tmp_path)
    clean = scores[(scores["severity"] == 0) & (scores["metric"] == "accuracy")]
    clean.assign(draws=[[v, v + 1] for v in clean["value"]], groups=7).to_parquet(tmp_path / "draws.parquet")
    read = read_scores(tmp_path)
    known = (read["severity"] == 0) & (read["metric"] == "accuracy")
    assert (read["draws"].notna() == known).all()
    assert all(d[0] == v for d, v in read.loc[known, ["draws", "value"]].itertuples(index=False))
    assert (read.loc[known, "groups"] == 7).all()

"""Which weights a row of a leaderboard stands for: found by the scores that they gave."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmark import registry
from benchmark.bookkeeping.tables import check_tables
from benchmark.bookkeeping.upkeep import artefacts, existing
from benchmark.interfaces import UserError
from benchmark.leaderboard.record import Run, load_run, nominal
from benchmark.leaderboard.statistics import stats
from benchmark.pretrained.package import ready
from benchmark.scheduler.planning.probes import embedding_keys
from benchmark.store.artefacts import CorruptArtefact, Store

if TYPE_CHECKING:
    import pandas as pd


class Gone(UserError):
    """The row is there, and what it has trained is not."""


@dataclass(frozen=True)
class Chosen:
    """One checkpoint of a row.

    Attributes:
        crops: the budget that is chosen, as people say it; None without pre-training.
        share: of the main budget, by which the scores table tells budgets apart.
        seeds: all that the row has.
        tuned: whether its scores are of fine-tuned copies.
        key: of the artefact in the store, of kind `pretrain`.
        manifest: of that.
    """

    row: str
    encoder: str
    corpus: str
    seed: int
    crops: float | None
    share: float
    seeds: list[int]
    tuned: bool
    store: Store
    key: str
    manifest: dict[str, Any]
    run: Run
    scores: pd.DataFrame


def choose(
    folder: Path, row: str, encoder: str = "", seed: int | None = None, crops: float | None = None, gone: bool = False
) -> Chosen:
    """Find a row's weights.

    Args:
        folder: of results; their artefacts may be elsewhere.
        row: its name on the leaderboard.
        encoder: where it was trained with several.
        seed: by default the first: the one that scores best would be a choice by the test set.
        crops: where there are several budgets; by default that of the leaderboard.
        gone: whether the row may be one whose scores alone are here: then it has no key.

    Raises:
        Gone: its weights are not here, or not any more.
        UserError: there is no such row, it has no weights, or there are several to choose from.
    """
    stats.load_scores(folder)  # says what is wrong, if anything is
    check_tables(folder)
    run, scores = load_run(folder), stats.read_scores(folder)
    part = _called("strategy", scores, row, f"rows of {folder}")
    encoder = _one_of("encoder", part, encoder, row)
    part = part[part["encoder"] == encoder]
    corpus = _one_of("pretrain_corpus", part, "", row)
    _check_weights(row, encoder)
    store, keys = _store(folder)
    seeds = sorted(part["seed"].astype(int).unique().tolist())
    if seed is not None and seed not in seeds:
        raise UserError(f"--seed {seed}: {row} has {', '.join(map(str, seeds))}")
    seed = seeds[0] if seed is None else seed
    budget, share, scored = _budget(_budgets(part[part["seed"] == seed], store), row, crops)
    if "share" in part:  # not all of its seeds may have gone so far
        seeds = sorted(part.loc[part["share"].fillna(1.0) == share, "seed"].astype(int).unique().tolist())
    tuned = scored["kind"] == "supervised"
    if tuned and "protocol" not in scored["spec"]:
        raise UserError(
            f"{row} has no encoder of its own: it trains one for each task, fraction and draw of labels, and keeps none"
        )
    key = _checkpoint(store, scored, [at.key for at in artefacts(store, keys) if at.kind == "pretrain"])
    if key is None and not gone:
        raise _gone(f"{row}: its weights are not in {store.root} any more")
    manifest = store.manifest("pretrain", key) if key else {}
    return Chosen(row, encoder, corpus, seed, budget, share, seeds, tuned, store, key or "", manifest, run, scores)


def _gone(what: str) -> Gone:
    return Gone(
        f"{what}; run the grid again, which remakes what is missing, or bring them with 'store export' (all, or "
        "--best-weights) and 'store import'"
    )


def _called(column: str, scores: pd.DataFrame, name: str, axis: str) -> pd.DataFrame:
    names = sorted(scores[column].astype(str).unique())
    if name not in names:
        raise registry.unknown(axis, name, names)
    return scores[scores[column] == name]


def _one_of(column: str, part: pd.DataFrame, wanted: str, row: str) -> str:
    names = sorted(part[column].astype(str).unique())
    if wanted:
        _called(column, part, wanted, f"encoders of {row}")
        return wanted
    if len(names) > 1:
        hint = "say which with --encoder" if column == "encoder" else "give the results folder of one run"
        raise UserError(f"{row} has several {column.replace('_', ' ')} entries ({', '.join(names)}); {hint}")
    return str(names[0])


def _check_weights(row: str, encoder: str) -> None:
    if ready(registry.encoders.get(encoder)):
        raise UserError(
            f"{row} has no weights of its own: nothing in its encoder is trained here; "
            f"benchmark.load_encoder({encoder!r}) makes it"
        )


def _store(folder: Path) -> tuple[Store, Any]:
    try:
        return existing(folder)
    except UserError as error:
        raise _gone(f"weights are no part of the tables, and {error}") from error


def _budgets(part: pd.DataFrame, store: Store) -> dict[float | None, tuple[float, dict[str, Any]]]:
    """By crops heard, of a row's trainings with one seed: the share of the main budget, a manifest of its scores."""
    found: dict[float | None, tuple[float, dict[str, Any]]] = {}
    table = part.assign(share=part["share"].fillna(1.0) if "share" in part else 1.0, crops=part.get("crops"))
    for of, scored in table.groupby(["share", "crops"], dropna=False):
        share, heard = cast("tuple[float, float]", of)
        manifest = next(_scored(store, scored["key"].astype(str).unique()), None)
        if manifest and "share" not in manifest["spec"]:  # it is of no snapshot on the way of a training
            found[None if heard != heard else nominal(heard)] = (float(share), manifest)
    return found


def _budget(
    found: dict[float | None, tuple[float, dict[str, Any]]], row: str, wanted: float | None
) -> tuple[float | None, float, dict[str, Any]]:
    """The one that is wanted, or else that of the leaderboard."""
    if not found:
        raise _gone(f"{row}: neither its scores nor its weights are there any more")
    main = [crops for crops, (share, _) in found.items() if share == 1]
    chosen = [crops for crops in found if crops and wanted and crops == nominal(wanted)] if wanted else main
    if not chosen:
        known = ", ".join(f"{crops:.0f}" for crops in sorted(crops for crops in found if crops)) or "heard none"
        raise UserError(f"--crops {wanted or ''}: {row} has {known}")
    return (chosen[0], *found[chosen[0]])


def _scored(store: Store, keys: Any) -> Iterator[dict[str, Any]]:
    for key in keys:
        for kind in ("probe", "supervised"):
            if store.is_done(kind, key):
                yield store.manifest(kind, key)


def _checkpoint(store: Store, scored: dict[str, Any], candidates: list[str]) -> str | None:
    """The pre-training that fine-tuning started from, or a probe: of the embeddings between, the key alone is left."""
    spec = scored["spec"]
    if scored["kind"] == "supervised":
        return next((key for key in candidates if key in spec["needs"]), None)
    for key in candidates:
        with contextlib.suppress(CorruptArtefact):
            strategy = store.manifest("pretrain", key)["spec"]["strategy"]
            if spec["needs"][0] in embedding_keys(key, strategy, spec):
                return key
    return None

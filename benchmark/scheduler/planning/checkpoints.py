"""The jobs that make encoders: pre-trained after one step has succeeded, only settled, or as they are initialized."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.pretraining.budget import COOLDOWN, PretrainConfig
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.keys import Plan, source
from benchmark.scheduler.planning.labels import read_labels
from benchmark.scheduler.planning.rows import Row, compatible
from benchmark.scheduler.planning.waveforms import audio_of, prepare

#: seconds by which a track may be longer than its header says, in samples at another rate
_ROUNDING = 1e-4


class Checkpoints:
    """A grid's encoders, and the sound that they are pre-trained on."""

    def __init__(self, grid: Grid, rows: Sequence[Row], plan: Plan) -> None:
        self._grid, self._plan = grid, plan
        own = [audio_of(grid, corpus) for corpus in grid.corpora]
        self._check_rates()
        for row in rows:
            self._check_labels(row)
        stems = sorted({stem for row in rows for stem in row.cls.crops(row.config).sources})
        heard = any(row.hears for row in rows)
        self._heard = tuple(prepare(plan, audio, []) for audio in own) if heard else ()
        # only who listens to stems depends on them: all else stays what it is when such a strategy joins the grid
        self._heard_with_stems = tuple(prepare(plan, audio, stems) for audio in own) if stems else self._heard

    def budgets(self, row: Row, seed: int) -> list[int]:
        """Crops of each training of a row's seed: one, or as many as branch off the longest."""
        several = row.cls.trains and self._grid.budgets
        return self._grid.budgets_of(row.name, seed) if several else [self._grid.main_budget]

    def of(self, row: Row, encoder: str, seed: int, crops: int | None = None) -> str:
        """The job that writes the encoder's weights, after so many crops where there are several budgets."""
        loaded = compatible(row, encoder)
        module = {
            "strategy": row.strategy,
            "strategy_version": row.cls.info.version,
            "options": row.config.model_dump(mode="json"),
            # most options stand for what they always did: those keep their keys
            **({"options_version": row.config.version} if row.config.version > 1 else {}),
            "encoder": encoder,
            "encoder_version": loaded.info.version,
            **({"brought": brought} if (brought := loaded.fingerprint()) else {}),
            **source(registry.strategies, row.strategy),
            **source(registry.encoders, encoder),
        }
        if row.start:  # wherever the export lies: the key knows the weights alone
            module |= {"weights": row.start[1].sha256, "export": str(row.start[0])}
        if not row.hears:
            name = f"{'import' if row.start else 'export'} {row.label(encoder, seed)}"
            return self._plan.add("pretrain", name, {**module, "seed": seed})
        self._check_length(row)
        heard = self._heard_with_stems if row.cls.crops(row.config).sources else self._heard
        spec = {**module, "seed": seed, "corpus": self._grid.corpus}
        if not row.cls.trains:
            spec["settled"] = {"batch_size": row.budget(self._grid).batch_size}
            return self._plan.add("pretrain", f"settle {row.label(encoder, seed)}", spec, heard)
        budget, label = row.budget(self._grid), row.label(encoder, seed)
        step = {**module, "precision": budget.precision}
        tags = row.cls.crops(row.config).tags
        catalogs = tuple(self._plan.jobs[key].needs[0] for key in self._heard) if tags else ()
        if labels := read_labels(self._plan, self._grid.corpora, tags) if tags else {}:
            spec, step, heard = {**spec, "labels": labels}, {**step, "labels": labels}, (*heard, *labels.values())
        needs = (*catalogs, *labels.values())
        tried = self._plan.add("preflight", f"preflight {row.name} on {row.on(encoder)}", step, needs)
        if self._grid.budgets:
            return self._branch(row, label, spec, budget, crops or budget.crops, heard, tried)
        spec["budget"] = budget.model_dump()
        return self._plan.add("pretrain", f"pretrain {label}", spec, heard, (tried,))

    def on_the_way(self, row: Row, encoder: str, seed: int, checkpoint: str) -> dict[float, str]:
        """The jobs that write the encoder's weights after shares of a training, which does not depend on them.

        If it is to run, it leaves them all. If it is done, the one of the largest share trains again up to there, and
        leaves the others.
        """
        training = self._plan.jobs[checkpoint]
        needs = tuple(training.spec["needs"])
        whole = {name: said for name, said in training.spec.items() if name not in ("kind", "engine", "needs")}
        from_it = {"kind": "training", "training": checkpoint}
        self._plan.share(checkpoint, from_it)
        found = {}
        for share in sorted(self._grid.snapshots.at, reverse=True):
            name = f"snapshot {row.label(encoder, seed)} at {share:.3g}"
            spec = {**whole, "training": checkpoint, "share": share}
            found[share] = self._plan.add("snapshot", name, spec, needs, (checkpoint,))
            self._plan.share(found[share], from_it)
        return found

    def _branch(
        self,
        row: Row,
        label: str,
        spec: dict[str, Any],
        budget: PretrainConfig,
        crops: int,
        heard: tuple[str, ...],
        tried: str,
    ) -> str:
        """A training of `crops` whose rate falls where the trunk, at a constant rate, has heard all but the last fifth.

        The trunk is made in pieces, from one branch to the next; a key does not tell of the pieces before it, so that
        budgets that join a grid go on from what is there.
        """
        if budget.schedule != "wsd" or budget.warmup_crops is None:
            raise UserError(f"strategies.{row.name}.pretrain: several budgets need schedule wsd and warmup_crops")
        if (found := row.config.of_the_whole) and len(self._grid.budgets) > 1:
            raise UserError(
                f"strategies.{row.name}: {' and '.join(found)}: counted in shares of the training, so that a longer "
                "one is no shorter one, continued; with several budgets count in crops, or ask for one: crops=[N]"
            )
        # what may be cut in the shortest training is cut in all of them: they begin as one
        shortest = round((1 - COOLDOWN) * self._grid.budgets[0])
        common = {**budget.model_dump(), "warmup_crops": min(budget.warmup_crops, shortest)}
        trunk, before = "", 0
        for end in (n for n in self._grid.budgets if n <= crops):
            piece = {**spec, "budget": {**common, "crops": end}}
            after = (tried, trunk) if trunk else (tried,)
            aside = {"hears": (1 - COOLDOWN) * (end - before)} | ({"continues": trunk} if trunk else {})
            trunk, before = self._plan.add("trunk", f"trunk {label} of {end:,} crops", piece, heard, after, aside), end
        piece = {**spec, "budget": {**common, "crops": crops}}
        aside = {"hears": COOLDOWN * crops, "continues": trunk}
        return self._plan.add("pretrain", f"pretrain {label}, {crops:,} crops", piece, (*heard, trunk), (tried,), aside)

    def heard_by(self, row: Row) -> str:
        """The corpora and sizes that a row's encoder has heard, those of its export first, or `none`."""
        found = [row.start[1].corpus] if row.start else []
        return " + ".join([*found, *([heard_by_all(self._grid)] if row.hears else [])]) or "none"

    def _check_labels(self, row: Row) -> None:
        """Refuse labels that a row cannot learn from, where the corpus knows them by now; elsewhere its trial does."""
        if not row.cls.crops(row.config).tags:
            return
        tracks = [registry.corpora.get(corpus)().known_tracks() for corpus in self._grid.corpora]
        if any(table is None for table in tracks):
            return
        import pandas as pd

        from benchmark.pretraining.labels import check_labels

        try:
            check_labels(row.cls, row.config, pd.concat([table for table in tracks if table is not None]))
        except UserError as error:
            raise UserError(f"strategies.{row.name} on {' and '.join(self._grid.corpora)}: {error}") from error

    def _check_rates(self) -> None:
        rates = {corpus: registry.corpora.get(corpus).sample_rate for corpus in self._grid.corpora}
        if len(set(rates.values())) > 1:
            found = ", ".join(f"{corpus} {rate} Hz" for corpus, rate in rates.items())
            raise UserError(f"corpus: those that are heard together need one sample rate, these have {found}")

    def _check_length(self, row: Row) -> None:
        """Refuse crops that hardly a training track can hold, where the corpus says how long its tracks are."""
        spec = row.cls.crops(row.config)
        need = spec.abreast * spec.seconds
        for corpus in self._grid.corpora:
            lengths = registry.corpora.get(corpus)().training_seconds()
            if lengths is None:
                continue
            if not lengths:
                raise UserError(f"strategies.{row.name}: {corpus} has no training track that can be heard")
            if sum(length >= need - _ROUNDING for length in lengths) < min(2, len(lengths)):
                raise UserError(
                    f"strategies.{row.name}: {spec.abreast} x {spec.seconds} s do not fit into the tracks of {corpus}, "
                    f"which last {max(lengths):.1f} s at most: ask for shorter crops, or place them at random"
                )


def heard_by_all(grid: Grid) -> str:
    """What a grid pre-trains on, in words: each corpus and its size."""
    found = [audio_of(grid, corpus) for corpus in grid.corpora]
    return " + ".join(f"{audio.corpus}/{audio.size}" for audio in found)

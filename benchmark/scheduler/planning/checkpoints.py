"""The jobs that make encoders: pre-trained after one step has succeeded, only settled, or as they are initialized."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.planning.keys import Plan, source
from benchmark.scheduler.planning.rows import Row, compatible
from benchmark.scheduler.planning.waveforms import audio_of, prepare


class Checkpoints:
    """A grid's encoders, and the sound that they are pre-trained on."""

    def __init__(self, grid: Grid, rows: Sequence[Row], plan: Plan) -> None:
        self._grid, self._plan = grid, plan
        own = audio_of(grid, grid.corpus)
        for row in rows:
            self._check_labels(row)
        stems = sorted({stem for row in rows for stem in row.cls.crops(row.config).sources})
        self._heard = prepare(plan, own, []) if any(row.hears for row in rows) else ""
        # only who listens to stems depends on them: all else stays what it is when such a strategy joins the grid
        self._heard_with_stems = prepare(plan, own, stems) if stems else self._heard

    def of(self, row: Row, encoder: str, seed: int) -> str:
        """The job that writes the encoder's weights."""
        loaded = compatible(row, encoder)
        module = {
            "strategy": row.strategy,
            "strategy_version": row.cls.info.version,
            "options": row.config.model_dump(mode="json"),
            # most options stand for what they always did: those keep their keys
            **({"options_version": row.config.version} if row.config.version > 1 else {}),
            "encoder": encoder,
            "encoder_version": loaded.info.version,
            **source(registry.strategies, row.strategy),
            **source(registry.encoders, encoder),
        }
        if not row.hears:
            return self._plan.add("pretrain", f"export {row.label(encoder, seed)}", {**module, "seed": seed})
        self._check_length(row)
        heard = self._heard_with_stems if row.cls.crops(row.config).sources else self._heard
        spec = {**module, "seed": seed, "corpus": self._grid.corpus}
        if not row.cls.trains:
            spec["settled"] = {"batch_size": row.budget(self._grid).batch_size}
            return self._plan.add("pretrain", f"settle {row.label(encoder, seed)}", spec, (heard,))
        budget = row.budget(self._grid)
        spec["budget"] = budget.model_dump()
        if self._grid.snapshots.at:
            spec["snapshots"] = self._grid.snapshots.at
        step = {**module, "precision": budget.precision}
        tried = self._plan.add("preflight", f"preflight {row.name} on {row.on(encoder)}", step, self._labels(row))
        return self._plan.add("pretrain", f"pretrain {row.label(encoder, seed)}", spec, (heard,), (tried,))

    def heard_by(self, row: Row) -> str:
        """The corpus and size that a row's encoder has heard, or `none`."""
        return f"{self._grid.corpus}/{self._grid.size}" if row.hears else "none"

    def _labels(self, row: Row) -> tuple[str, ...]:
        """The catalog, for who hears labels."""
        return (self._plan.jobs[self._heard].needs[0],) if row.cls.crops(row.config).tags else ()

    def _check_labels(self, row: Row) -> None:
        """Refuse labels that a row cannot learn from, where the corpus knows them by now; elsewhere its trial does."""
        tracks = registry.corpora.get(self._grid.corpus)().known_tracks() if row.cls.crops(row.config).tags else None
        if tracks is None:
            return
        from benchmark.pretraining.labels import check_labels

        try:
            check_labels(row.cls, row.config, tracks)
        except UserError as error:
            raise UserError(f"strategies.{row.name} on {self._grid.corpus}: {error}") from error

    def _check_length(self, row: Row) -> None:
        """Refuse crops that no track of the corpus can hold, where it says how long its tracks are."""
        longest, spec = registry.corpora.get(self._grid.corpus).track_seconds, row.cls.crops(row.config)
        apart = spec.count if spec.placement in ("adjacent", "disjoint") else 1
        if longest is not None and apart * spec.seconds > longest:
            raise UserError(
                f"strategies.{row.name}: {apart} x {spec.seconds} s do not fit into the tracks of {self._grid.corpus}, "
                f"which last {longest} s: ask for shorter crops, or place them at random"
            )

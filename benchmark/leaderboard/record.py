"""`run.json`: what a run planned, and how it went; the part of the leaderboard that is not scores."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from benchmark.interfaces import UserError

#: rows that are no pretext task, where no record says so
BASELINES = {"constant", "informed", "mfcc", "random", "random_unsettled", "supervised"}
#: the encoder that no pretext task has trained, read out as the trained ones are
UNTRAINED = "random"
#: the kind of reference that such an encoder is, and its rows, each read out in its way: the better one counts
UNTRAINED_KIND, UNTRAINED_ROWS = "untrained", (UNTRAINED, "random_unsettled")
#: the share of a budget that a step may be
A_STEP = 0.007


class StrategyNote(BaseModel):
    """What the run says about a strategy."""

    title: str = ""
    citation: str = ""
    #: what kind of pretext task it is, in the field's terms
    family: str = ""
    trains: bool = True
    #: labels that it heard, as `corpus/column`, and for which share of the training tracks (None: the fraction)
    heard: list[str] = []
    heard_share: float | None = None
    #: the run that computed it, where that is another one
    origin: str = ""
    #: which registered strategy it is, whatever the grid calls the row, and the options that differ from its defaults
    method: str = ""
    options: dict[str, Any] = {}
    #: by encoder, what it is called there, where that is not the paper's method
    variants: dict[str, str] = {}
    #: on which encoders it was planned
    encoders: list[str] = []
    #: how many pre-training seeds were planned, and whether another seed would make another encoder
    seeds: int = 0
    seeded: bool | None = None
    #: by fraction, how many label draws were planned, where a row has its own number
    draws: dict[float, int] = {}
    #: by budget, how many of its seeds were planned, where another run planned it
    budget_seeds: dict[float, int] = {}


class TaskNote(BaseModel):
    """What the run says about a task."""

    title: str = ""
    citation: str = ""
    level: str = ""
    metric: str = ""
    higher_is_better: bool = True
    corpus: str = ""
    licence: str = ""
    conventions: str = ""
    labels: list[str] = []
    told_by: list[str] = []
    tracks: int | None = None
    unreadable: int = 0
    #: tracks that are heard although something is odd about their sound, by what it is
    odd: dict[str, int] = {}
    #: tracks that are shorter than what an encoder needs, by encoder
    padded: dict[str, int] = {}
    #: what lies on both sides of its corpus's split, a sentence each
    leaks: list[str] = []

    @property
    def data(self) -> str:
        """How many tracks the corpus has, what is missing of them, and how some of them are heard."""
        if self.tracks is None:
            return ""
        found = [f"{self.tracks} tracks"]
        found += [f"{self.unreadable} of them unreadable and left out"] if self.unreadable else []
        found += [f"{count} {kind}" for kind, count in self.odd.items()]
        found += [f"{count} padded with silence for {encoder}" for encoder, count in self.padded.items()]
        return ", ".join(found)


class Failure(BaseModel):
    """A job that gave no score."""

    job: str
    error: str = ""


class Pretraining(BaseModel):
    """One pre-trained checkpoint, what it heard, and its monitors; None where a run has no record of it.

    `batch` tracks a step; `epochs` over the corpus's training tracks; `trend`: slope of the last quarter of the loss
    curve over its standard error; `machine` is what its seconds are of, a GPU or a processor.
    """

    strategy: str
    encoder: str = ""
    seed: int = 0
    machine: str | None = None
    crops: float | None = None
    steps: int | None = None
    batch: int | None = None
    epochs: float | None = None
    learning_rate: float | None = None
    seconds: float | None = None
    loss: float | None = None
    trend: float | None = None
    std: float | None = None
    effective_rank: float | None = None
    mean_cosine: float | None = None
    parameters: int | None = None
    peak_mb: int | None = None
    collapsed: bool = False
    #: by crops of each budget, its seconds from the beginning
    lengths: dict[float, float] = {}
    #: of its artefact
    key: str = ""


class Environment(BaseModel):
    """Source, packages and machine of the run's driver."""

    commit: str = ""
    dirty: bool = False
    python: str = ""
    platform: str = ""
    cpu: str = ""
    memory_gb: int | None = None
    gpus: list[str] = []
    packages: dict[str, str] = {}

    @property
    def source(self) -> str:
        """The commit, and whether it is what ran."""
        return f"{self.commit}{', with files changed since' if self.dirty else ''}" if self.commit else ""


class Control(BaseModel):
    """The mean score of probes that learned shuffled labels, beside chance.

    Chance is what their own predictions score on permuted targets or, for events, what probes that learned noise score.
    `stderr` is that of the difference, from shuffle to shuffle.
    """

    task: str
    strategy: str = ""
    probe: str = ""
    metric: str = ""
    shuffles: int = 0
    value: float | None = None
    chance: float | None = None
    stderr: float | None = None


#: what is known of those that no record names
_NO_TASK, _NO_STRATEGY = TaskNote(), StrategyNote()


class Run(BaseModel):
    """`run.json`: what was planned and how it went. Every field may be absent; unknown ones are ignored."""

    grid: str = ""
    command: str = ""
    version: str = ""
    created: str = ""
    settings: dict[str, Any] = {}
    fractions: list[float] = []
    #: how many label draws were planned of each of them
    resamples: list[int] = []
    #: how many of a row's seeds have been planned for each of several budgets, by crops
    budget_seeds: dict[float, int] = {}
    probes: list[str] = []
    strategies: dict[str, StrategyNote] = {}
    tasks: dict[str, TaskNote] = {}
    failures: list[Failure] = []
    pretraining: list[Pretraining] = []
    #: keys of the waveforms that were heard, by corpus
    sound: dict[str, str] = {}
    environment: Environment = Environment()
    #: fingerprints of what audio and labels follow from, by corpus
    corpora: dict[str, Any] = {}
    #: the grid as YAML
    grid_file: str = ""
    warnings: list[str] = []
    control: list[Control] = []

    def task(self, name: str) -> TaskNote:
        """What is known of task `name`, which may be nothing."""
        return self.tasks.get(name, _NO_TASK)

    def level(self, name: str) -> str:
        """The level of task `name`; one name for all whose level nobody knows."""
        return self.task(name).level or "tasks"

    @property
    def up(self) -> dict[str, bool]:
        """Of each task, whether a higher score is better."""
        return {name: note.higher_is_better for name, note in self.tasks.items()}

    @property
    def aimless(self) -> list[Control]:
        """Controls that say what chance is: of the untrained encoder, which has learned nothing."""
        return [c for c in self.control if c.strategy in ("", UNTRAINED) and c.chance is not None]

    @property
    def zero(self) -> str:
        """Where levels begin, in words."""
        return "chance" if self.aimless else "the constant predictor"

    def strategy(self, name: str) -> StrategyNote:
        """What is known of strategy `name`, which may be nothing."""
        return self.strategies.get(name, _NO_STRATEGY)

    def variant(self, strategy: str, encoder: str) -> str:
        """What a strategy is called on an encoder that is not its paper's, and whose it is if not this run's."""
        note = self.strategy(strategy)
        return ", ".join(filter(None, (note.variants.get(encoder), note.origin and f"of {note.origin}")))

    def pretext(self, name: str) -> bool:
        """Whether a row is a pretext task: baselines, and what learns a task's labels end to end, are none."""
        note = self.strategies.get(name)
        return note.trains if note else name not in BASELINES

    def encoders(self, names: Iterable[str]) -> set[str]:
        """Rows whose differences a task has to tell: pretext tasks, and the untrained encoder."""
        return {name for name in names if self.pretext(name) or name == UNTRAINED}

    def references(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Rows that a pretext task is held against, by kind."""
        present = list(dict.fromkeys(names))
        labels = [n for n in present if n == "supervised" or self.strategy(n).family == "labels"]
        return {
            UNTRAINED_KIND: [n for n in present if n in UNTRAINED_ROWS],
            "mfcc": [n for n in present if n == "mfcc"],
            "supervised": [n for n in labels if not self.pretext(n)],
        }

    @property
    def fixed(self) -> set[str]:
        """Strategies that have nothing to seed. An older record does not say: those that alone have one seed."""
        most = max((note.seeds for note in self.strategies.values()), default=0)
        alone = {name: not note.trains and note.seeds == 1 < most for name, note in self.strategies.items()}
        return {n for n, note in self.strategies.items() if note.seeded is False or (note.seeded is None and alone[n])}

    def planned_runs(self, strategy: str, fraction: float, crops: float = math.nan) -> int:
        """How many runs a cell should have, of encoders that heard so many crops; 0 if nobody says."""
        planned = self.strategy(strategy).draws or dict(zip(self.fractions, self.resamples, strict=False))
        draws = {round(f, 6): n for f, n in planned.items()}
        return self.seeds_after(crops, strategy) * draws.get(round(fraction, 6), 0)

    def seeds_after(self, crops: float, strategy: str) -> int:
        """How many of a row's seeds have been planned to hear so many crops; 0 if nobody says."""
        note = self.strategy(strategy)
        planned = note.budget_seeds or self.budget_seeds
        return note.seeds if math.isnan(crops) else min(note.seeds, planned.get(asked_for(crops, planned), note.seeds))

    @staticmethod
    def first_probe(present: Iterable[str]) -> str:
        """The probe that stands for all where one has to: linear, or else the first by name."""
        return min(present, key=lambda probe: (probe != "linear", probe), default="")

    def heard(self, strategy: str, task: str) -> bool:
        """Whether a strategy heard some of a task's labels, or what tells of them, before it was probed."""
        note = self.task(task)
        return not set(self.strategy(strategy).heard).isdisjoint([*note.labels, *note.told_by])

    def labels_of(self, strategy: str) -> str:
        """The labels that a strategy heard, and how many, in words; empty if none."""
        note = self.strategy(strategy)
        share = "the fraction's labels" if note.heard_share is None else f"{percent(note.heard_share)} of the labels"
        return f"{share}: {', '.join(note.heard)}" if note.heard else ""

    def collapsed(self, strategy: str, encoder: str) -> bool:
        """Whether any checkpoint of this strategy and encoder collapsed."""
        return any(p.collapsed for p in self.pretraining if (p.strategy, p.encoder) == (strategy, encoder))


def load_run(folder: Path) -> Run:
    """Read `folder/run.json`; an empty record if there is none.

    Raises:
        UserError: it is there but is not a run record.
    """
    path = folder / "run.json"
    if not path.is_file():
        return Run()
    try:
        # An error message may quote a file name that is not UTF-8: half a character must not cost the page.
        text = json.dumps(json.loads(path.read_bytes()), ensure_ascii=False)
        return Run.model_validate_json(text.encode("utf-8", errors="replace"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not JSON ({error}); delete or rewrite it") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(f"{path} is not a run record ({where}: {first['msg']}); delete or rewrite it") from error


def nominal(crops: float) -> float:
    """The budget as people say it, which a training misses by a part of a step: 9,984 crops heard are 10,000."""
    rounded = [float(f"{crops:.{digits}g}") for digits in (1, 2, 3)]
    return next((budget for budget in rounded if abs(budget - crops) <= A_STEP * crops), rounded[-1])


def asked_for(crops: float, budgets: Collection[float] = ()) -> float:
    """The budget of a training that heard so many crops.

    It misses it by a part of a step: so it is the next one up of those there are; where nobody knows them, what people
    call it.
    """
    return min((float(budget) for budget in budgets if budget >= crops), default=nominal(crops))


def percent(fraction: float) -> str:
    """A label fraction as a percentage, `0.01` as `1%`."""
    return f"{100 * fraction:g}%"

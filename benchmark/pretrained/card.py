"""The model card of an exported encoder: what it is and heard, how to use it, what it scores, what it cannot say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmark import registry
from benchmark.encoders.exported import CONFIG, SCRIPT, WEIGHTS, About
from benchmark.leaderboard.record import Environment
from benchmark.leaderboard.statistics import budgets, headline, stats, tables
from benchmark.leaderboard.statistics.tables import Score, Standing
from benchmark.pretrained.choose import Chosen

_MISSING = "-"
#: rows that a pretext task is held against
_BESIDE = ("random", "mfcc", "supervised")


def card(chosen: Chosen, about: About, scripted: bool) -> str:
    """Markdown, which starts with what model hubs read.

    Args:
        chosen: the row.
        about: its configuration.
        scripted: whether there is a TorchScript file, too.
    """
    note = chosen.run.strategy(chosen.row)
    parts = [
        "---\nlibrary_name: mir-pretext\ntags: [music, audio, self-supervised]\n---",
        f"# {chosen.row}: {note.title or about.strategy}, {about.encoder}",
        _what(chosen, about),
        "## Use",
        _use(about, scripted),
        "## Scores",
        scores(chosen),
        "## What this cannot say",
        _limits(chosen, about),
    ]
    return "\n\n".join(parts) + "\n"


def _what(chosen: Chosen, about: About) -> str:
    encoder, note = registry.encoders.get(about.encoder).info, chosen.run.strategy(chosen.row)
    options = ", ".join(f"{name} {value}" for name, value in note.options.items() if name != "pretrain")
    seeds = ", ".join(map(str, chosen.seeds))
    facts = {
        "Pretext task": f"`{about.strategy}`" + (f" ({note.citation})" if note.citation else ""),
        "Options": options or "the strategy's own",
        "Encoder": f"`{about.encoder}`: {encoder.title} ({encoder.citation})",
        "Input": f"mono at {about.sample_rate:,} Hz; `embed` takes any",
        "Output": f"{about.embedding_dim} dimensions, {about.frame_rate:.4g} frames per second",
        "Crops heard": f"{about.crops:,.0f}, of 3 s each" if about.crops else "none: nothing trained its weights",
        "Corpus": about.corpus,
        "Tracks heard": _heard(chosen.manifest["info"]),
        **{f"Licence of {name}": licence for name, licence in about.licences.items()},
        "Labels heard": about.labels or "none",
        "Seed": f"{about.seed}" + (f", of {seeds}; which scores best did not count" if len(chosen.seeds) > 1 else ""),
        "Weights": "float16, rounded from the float32 that was scored"
        if about.half
        else "float32, those that were scored",
        "Made by": about.made_with + (f", grid `{chosen.run.grid}`" if chosen.run.grid else "") + _commit(chosen),
        "Key": f"`{about.key}`",
    }
    return _table(["", ""], [[name, value] for name, value in facts.items() if value])


def _commit(chosen: Chosen) -> str:
    """That of the training; of one whose artefact does not say, that of the run which shows its scores."""
    made = Environment.model_validate(chosen.manifest["info"]).source
    shown = chosen.run.environment.source
    return f", commit {made}" if made else f", shown by a run of commit {shown}" if shown else ""


def _heard(info: dict[str, Any]) -> str:
    """How many tracks, and how often; empty without pre-training."""
    return f"{info['tracks']:,}, each {info['epochs']:.3g} times" if info.get("tracks") and info.get("epochs") else ""


def _use(about: About, scripted: bool) -> str:
    text = f"""```python
import benchmark

encoder = benchmark.load_encoder("path/of/this/folder")
clip = encoder.embed(audio, sr)                    # (T,) or (channels, T) at any rate: ({2 * about.embedding_dim},)
clip = encoder.embed("song.mp3")                   # a file; of a folder, an iterator over (path, embedding)
frames, times = encoder.embed(audio, sr, frames=True)   # (F, {about.embedding_dim}) and seconds
```

A clip's embedding is mean and standard deviation over its frames, which is what probes read; of what is longer than
10 s, the mean over equal windows of at most 10 s. `{WEIGHTS}` holds the weights, `{CONFIG}` says whose
they are. `benchmark.hear` has HEAR's three functions for this folder."""
    if scripted:
        text += f"""

`{SCRIPT}` runs without this package: what `torch.jit.load` makes of it maps (B, T) float32 waveforms
within ±1, mono, at {about.sample_rate:,} Hz, to (B, F, {about.embedding_dim}) frames. Cut longer audio into windows of
10 s first.{_behind(about)}"""
    return text


def _behind(about: About) -> str:
    """How late the frames of the bare network are, where they begin with the audio."""
    samples = registry.encoders.get(about.encoder).first_frame
    return f" The middle of the first frame is {samples:,} samples behind the beginning." if samples else ""


def scores(chosen: Chosen) -> str:
    """Levels and tasks of the leaderboard, of all seeds together, at the budget that is exported."""
    run, raw = chosen.run, chosen.scores
    raw = budgets.after_each(raw, run).get(chosen.share, raw)
    prepared = stats.prepare(raw)
    cells = tables.cells(prepared, run)
    found = headline.headline(prepared, cells, run)
    settings = tables.settings(cells)
    probe = run.first_probe(probe for probe, _ in settings)
    settings = [setting for setting in settings if setting[0] == probe]
    levels = headline.standings(found, run, settings)
    tasks = [tables.standing(cells, run, fraction, probe) for _, fraction in settings]
    read, seeds = f"Read by a {probe} probe", len(chosen.seeds)
    about = (
        f"{'Fine-tuned' if chosen.tuned else read} with each share of the training tracks' labels: mean and 95 % "
        f"interval over {seeds} seed{'s' if seeds > 1 else ''}, draws of labels and test items. On a level 0 is "
        f"{run.zero}, 1 where all is right."
    )
    shown = [_grid("level", levels, chosen, _BESIDE)] if levels[0].columns else []  # without a floor there is none
    return "\n\n".join([about, *shown, _grid("task", tasks, chosen, ())])


def _grid(name: str, shown: Sequence[Standing], chosen: Chosen, beside: Iterable[str]) -> str:
    """A line for each column of the leaderboard and each row to be seen, a column for each label fraction."""
    rows = [chosen.row, *(row for row in beside if row != chosen.row)]
    lines = []
    for i, column in enumerate(shown[0].columns):
        label = column.task if name == "level" else f"{column.task} ({column.metric})"
        for row in rows:
            found = [_of(one, row, i, chosen) for one in shown]
            if row == chosen.row or set(found) != {_MISSING}:
                lines.append([label, f"**{row}**" if row == chosen.row else row, *found])
    return _table([name, "row", *(one.percent for one in shown)], lines)


def _of(shown: Standing, row: str, column: int, chosen: Chosen) -> str:
    """A row's score, on the exported encoder where it has several."""
    rows = [one for one in shown.rows if one.entry.strategy == row]
    rows = [one for one in rows if one.entry.encoder == chosen.encoder] or rows[:1]
    score: Score | None = rows[0].scores[column] if rows else None
    return _MISSING if score is None or score.mark == "missing" or score.mean != score.mean else " ± ".join(score.texts)


def _limits(chosen: Chosen, about: About) -> str:
    corpora = sorted(chosen.scores["corpus"].astype(str).unique())
    rendered = ", which is rendered from scores by a SoundFont" if any("rendered" in name for name in corpora) else ""
    said = [
        f"How it does on other music: it was scored on {', '.join(corpora)} alone{rendered}.",
        "How these very weights score: the table is of all seeds together.",
        "That this pretext task is best: rows may not be told apart; the leaderboard has the tests.",
        "What it would be after more pre-training: what is learned depends on the crops heard.",
    ]
    if chosen.tuned:
        said.append(
            "How it does frozen: each score is of a copy that was fine-tuned, and these are the weights before."
        )
    else:
        said.append("How it does when fine-tuned: its weights were frozen while it was scored.")
    if chosen.run.collapsed(chosen.row, chosen.encoder):
        said.insert(0, "Much at all: embeddings of this row have collapsed in pre-training.")
    if about.labels:
        said.append(f"What can be had without labels: it heard {about.labels}.")
    return "\n".join(f"- {text}" for text in said)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    )

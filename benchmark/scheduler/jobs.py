"""What each kind of job does. Runs in a worker: reads artefacts by key, writes one; heavy imports happen here."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark import registry
from benchmark.corpora.usable import ALLOWED_UNREADABLE, check_catalog
from benchmark.corpora.verdicts import FILES, read_verdicts, rows_of, write_verdicts
from benchmark.files import read_json
from benchmark.interfaces import Unreadable, UserError
from benchmark.scheduler.making import made_here, take_device, tidy_up, with_carried
from benchmark.scheduler.planning.conditions import FONT_CORPORA, SECOND_FONT, labels_hold
from benchmark.scheduler.planning.keys import check_source
from benchmark.store.artefacts import Draft, Store
from benchmark.store.job import Job, Stores

#: columns of the table that says how the main metrics would move with other test groups
DRAWS = ["strategy", "encoder", "pretrain_corpus", "seed", "task", "fraction", "resample", "probe", "metric", "value"]
DRAWS += ["crops", "share", "draws", "groups"]


def run_job(job: Job, data: Path, results: Path) -> None:
    """Make the artefact of `job`."""
    stores, started = Stores(data, results), time.perf_counter()
    check_source(job.spec)
    with stores.reading(), stores.of(job.kind).writing(job.kind, job.key, job.spec) as draft:
        _RUNNERS[job.kind](job, stores, draft)
        tidy_up()
        draft.info.update(made_here(time.perf_counter() - started))


def _catalog(job: Job, stores: Stores, draft: Draft) -> None:
    corpus = registry.corpora.get(job.spec["corpus"])()
    _check_fingerprint(job, corpus.fingerprint())  # here alone: it reads the index, which no shard has to
    tracks = corpus.catalog(draft.path, job.spec["size"])
    check_catalog(corpus, tracks, job.spec["size"])
    tracks.to_parquet(draft.path / "tracks.parquet", index=False)


def _check_fingerprint(job: Job, found: dict[str, str]) -> None:
    if found != job.spec["fingerprint"]:
        name = job.spec["corpus"]
        raise UserError(f"{name}: this machine has other data, or other versions, than the one where the run started")


def _labels(job: Job, stores: Stores, draft: Draft) -> None:
    corpus, columns = registry.corpora.get(job.spec["corpus"])(), tuple(job.spec["columns"])
    _check_fingerprint(job, corpus.label_fingerprint(columns))
    corpus.labels(columns).to_parquet(draft.path / "labels.parquet", index=False)


def _with_labels(tracks: Any, corpus: str, spec: dict[str, Any], stores: Stores) -> Any:
    """Tracks with the labels that a job is to know besides those of their catalog."""
    import pandas as pd

    key = spec.get("labels", {}).get(corpus)
    if key is None:
        return tracks
    labels = pd.read_parquet(stores.data.open("labels", key) / "labels.parquet").set_index("id")
    return tracks.join(labels.loc[tracks["id"]].reset_index(drop=True))


def _shard(job: Job, stores: Stores, draft: Draft) -> None:
    import numpy as np
    import pandas as pd

    from benchmark.audio.sketch import sketch
    from benchmark.audio.waveforms import MIX, one_by_one

    corpus = registry.corpora.get(job.spec["corpus"])()
    folder = stores.data.open("catalog", job.needs[0])
    tracks = pd.read_parquet(folder / "tracks.parquet").iloc[job.spec["start"] : job.spec["stop"]]
    separator, device = (job.spec["separator"][0], take_device()) if "separator" in job.spec else ("", "")
    lengths, sketches, verdicts = [], [], []
    with with_carried(job, stores, draft) as drafts:
        with contextlib.ExitStack() as stack:  # tracks may be hours: no more than one of them is in memory
            paths = [(stem, at.path / f"{stem}.npy") for one, at in drafts for stem in (MIX, *one.spec["stems"])]
            files = [(stem, stack.enter_context(one_by_one(path))) for stem, path in paths]
            for name, track in zip(tracks["id"], corpus.render(tracks, folder), strict=True):
                verdicts += rows_of(name, track)
                silence = dict.fromkeys((MIX, *corpus.stems), np.zeros(0, np.int16))
                sound = silence if isinstance(track, Unreadable) else track
                if separator:
                    from benchmark.audio.separate import separate

                    sound = separate(sound[MIX], corpus.sample_rate, separator, device) | sound
                for stem, append in files:
                    append(sound[stem])
                lengths.append(len(sound[MIX]))
                sketches.append(sketch(sound[MIX], corpus.sample_rate))
        for _, place in drafts:
            np.save(place.path / "lengths.npy", np.array(lengths))
            np.save(place.path / "sketches.npy", np.stack(sketches))
            write_verdicts(verdicts, place.path)
            (place.path / FILES).write_text(json.dumps(corpus.file_digests(tracks)))


def _waveforms(job: Job, stores: Stores, draft: Draft) -> None:
    import pandas as pd

    from benchmark.audio.waveforms import MIX, Waveforms, join_shards
    from benchmark.corpora.leaks import twins_within, write_twins

    catalog, *shards = job.needs
    tracks = pd.read_parquet(stores.data.open("catalog", catalog) / "tracks.parquet")
    folders = [stores.data.open("shard", key) for key in shards]
    verdicts = [row for folder in folders for row in read_verdicts(folder)]
    unreadable = [row for row in verdicts if not row["heard"]]
    if len(unreadable) > ALLOWED_UNREADABLE * len(tracks) and not job.spec["allow_missing"]:
        first = "; ".join(f"{row['id']}: {row['what']}" for row in unreadable[:3])
        raise UserError(
            f"{job.spec['corpus']}: {len(unreadable)} of {len(tracks)} files cannot be read ({first}); --allow-missing "
            f"goes on without them ('data prepare {job.spec['corpus']} --allow-missing' lists them all)"
        )
    rate = registry.corpora.get(job.spec["corpus"]).sample_rate
    join_shards(folders, [MIX, *job.spec["stems"]], tracks, draft.path)
    write_verdicts(verdicts, draft.path)
    digests = [digest for folder in folders if (folder / FILES).is_file() for digest in read_json(folder / FILES)]
    if digests:
        (draft.path / FILES).write_text(json.dumps(dict(zip(tracks["id"], digests, strict=True))))
    write_twins(twins_within(Waveforms.open(draft.path, rate), [f / "sketches.npy" for f in folders]), draft.path)
    draft.info.update(tracks=len(tracks), unreadable=len(unreadable))


def open_waveforms(data: Store, key: str, corpus: str) -> Any:
    """A corpus's audio in the data folder's store."""
    from benchmark.audio.waveforms import Waveforms

    return Waveforms.open(data.open("waveforms", key), registry.corpora.get(corpus).sample_rate)


def _heard(job: Job, stores: Stores) -> Any:
    """What a job pre-trains on: a corpus, or several side by side."""
    from benchmark.audio.waveforms import Waveforms

    named = job.spec["corpus"]
    corpora = [named] if isinstance(named, str) else named
    return Waveforms.beside([_labelled(job, stores, *pair) for pair in zip(job.needs, corpora, strict=False)])


def _labelled(job: Job, stores: Stores, key: str, corpus: str) -> Any:
    waves = open_waveforms(stores.data, key, corpus)
    return replace(waves, tracks=_with_labels(waves.tracks, corpus, job.spec, stores))


def _pretrain(job: Job, stores: Stores, draft: Draft) -> None:
    from benchmark.pretraining.ranks import on_ranks

    device, spec = take_device(), job.spec
    count = spec["budget"]["devices"] if "budget" in spec else 1
    with tempfile.TemporaryDirectory() as meeting:
        on_ranks(count, device, Path(meeting) / "ranks", _train, job, stores, draft.path)
    said = draft.path / "info.json"
    info = json.loads(said.read_text())
    said.unlink()
    draft.info.update(info)
    _leave_snapshots(job, stores, draft, info)


def _leave_snapshots(job: Job, stores: Stores, draft: Draft, info: dict[str, Any]) -> None:
    """Put what a training has kept on its way where it belongs."""
    from benchmark.pretraining.readout import weights_file

    scratch = stores.results.scratch(job.kind, job.key)
    kept = [one for one in job.carries if (scratch / weights_file(one.spec["share"])).exists()]
    with with_carried(replace(job, carries=tuple(kept)), stores, draft) as drafts:
        for one, place in drafts:
            if share := one.spec.get("share"):
                shutil.copyfile(scratch / weights_file(share), place.path / weights_file())
                place.info.update(crops=share * info["crops"])


def _train(job: Job, stores: Stores, out: Path, device: str) -> None:
    """Train (or only settle, or initialize) and write the encoder's weights, and `info.json` for the manifest."""
    from benchmark.pretraining.ranks import is_first
    from benchmark.pretraining.readout import save_encoder, weights_file

    spec = job.spec
    shares = [one.spec["share"] for one in (job, *job.carries) if "share" in one.spec]
    strategy = _strategy(spec, spec["seed"])
    info: dict[str, Any] = {}
    if strategy.trains:
        from benchmark.pretraining.budget import PretrainConfig
        from benchmark.pretraining.checkpoint import SAVE_EVERY, Place
        from benchmark.pretraining.train import grow, pretrain, train_to

        waves = _heard(job, stores)
        budget, scratch = PretrainConfig.model_validate(spec["budget"]), stores.results.scratch(job.kind, job.key)
        every = float(os.environ.get("MIR_PRETEXT_CHECKPOINT_SECONDS", SAVE_EVERY))
        trunk = stores.results.open("trunk", spec["continues"]) if "continues" in spec else None
        place = Place(scratch, every, trunk)
        if job.kind == "trunk":
            info = grow(strategy, waves, budget, spec["seed"], device, place, out)
        elif job.kind == "snapshot":
            info = train_to(strategy, waves, budget, spec["seed"], device, place, shares)
        else:
            info = pretrain(strategy, waves, budget, spec["seed"], device, place, shares)
    elif "settled" in spec:
        from benchmark.pretraining.readout import settle

        waves = _heard(job, stores)
        settle(strategy, waves, spec["settled"]["batch_size"], spec["seed"], device)
    if is_first():
        if job.kind == "pretrain":
            save_encoder(strategy.encoder, out / weights_file())
        (out / "info.json").write_text(json.dumps(info))


def _preflight(job: Job, stores: Stores, draft: Draft) -> None:
    import pandas as pd

    from benchmark.pretraining.labels import check_labels
    from benchmark.scheduler.preflight import try_strategy, try_task

    device, spec = take_device(), job.spec
    apart = spec.get("labels", {})
    labels = [
        _with_labels(pd.read_parquet(stores.data.open("catalog", key) / "tracks.parquet"), corpus, spec, stores)
        for key in spec["needs"]
        if key not in apart.values()
        for corpus in [stores.data.manifest("catalog", key)["spec"]["corpus"]]
    ]
    if "task" in spec:
        try_task(registry.tasks.get(spec["task"])(), labels[0], spec["fraction"])
        return
    strategy = _strategy(spec, 0)
    if labels:
        check_labels(type(strategy), strategy.config, pd.concat(labels, ignore_index=True))
    try_strategy(strategy, spec["precision"], device)


def _strategy(spec: dict[str, Any], seed: int) -> Any:
    """A strategy with a new encoder, or one that starts from an export's weights.

    Initialized on the CPU, so that weights are the same on every device.
    """
    import torch

    torch.manual_seed(seed)
    cls = registry.strategies.get(spec["strategy"])
    encoder = registry.encoders.get(spec["encoder"])()
    if "weights" in spec:
        encoder.load_state_dict(_imported(spec).state_dict())
    return cls(encoder, cls.Config.model_validate(spec["options"]))


def _imported(spec: dict[str, Any]) -> Any:
    """The encoder of the export that a row starts from."""
    from benchmark.encoders.exported import exported

    encoder, about = exported(spec["export"])
    if about.sha256 != spec["weights"]:
        raise UserError(f"{spec['export']}: holds other weights than when this run was planned; run again")
    return encoder


def _embed(job: Job, stores: Stores, draft: Draft) -> None:
    import numpy as np
    from safetensors.torch import load_file

    from benchmark.pretraining.readout import weights_file
    from benchmark.probing.embed import embed

    device, spec = take_device(), job.spec
    kind = "snapshot" if "share" in spec else "pretrain"
    encoder = registry.encoders.get(spec["encoder"])()
    encoder.load_state_dict(load_file(stores.results.open(kind, job.needs[0]) / weights_file()))
    made = stores.results.manifest(kind, job.needs[0])
    check_source(made["spec"], is_made=True)
    waves = open_waveforms(stores.data, job.needs[1], spec["corpus"])
    corruption = tuple(spec["corruption"]) if "corruption" in spec else None
    if corruption:  # what probes learn and choose from stays clean
        waves = waves.select(np.flatnonzero(~waves.tracks["split"].isin(("train", "val"))))
    with with_carried(job, stores, draft) as drafts:
        info = embed(encoder, waves, {j.spec["reads"]: d.path for j, d in drafts}, device, corruption)
        crops = made["info"].get("crops")
        info |= {"crops": float(crops)} if crops else {}
        for _, one in drafts:
            (one.path / "embedding.json").write_text(json.dumps(info))


def _trial(job: Job, tracks: Any, shuffle: int = 0) -> Any:
    from benchmark.probing.evaluate import Trial

    fractions = {float(f): int(n) for f, n in job.spec["fractions"]}
    return Trial.of(registry.tasks.get(job.spec["task"])(), tracks, fractions, job.spec["shuffle_labels"], shuffle)


def _probe(job: Job, stores: Stores, draft: Draft) -> None:
    import numpy as np
    import pandas as pd

    from benchmark.probing.evaluate import Condition, Heard, evaluate, rows_of
    from benchmark.probing.features import Features

    device, spec = take_device(), job.spec
    embedded = stores.results.open("embed", job.needs[0])
    tracks = pd.read_parquet(stores.data.open("waveforms", job.needs[1]) / "tracks.parquet")
    tracks = _with_labels(tracks, spec["corpus"], spec, stores)
    frame_level = registry.tasks.get(spec["task"])().frame_level
    held_out = np.flatnonzero(~tracks["split"].isin(("train", "val")))
    heard, others = {}, iter(job.needs[2:])
    for condition in spec.get("conditions", []):
        rows = held_out
        if condition[0] == SECOND_FONT:
            heard_tracks = pd.read_parquet(stores.data.open("waveforms", next(others)) / "tracks.parquet")
            rows = rows_of(heard_tracks["id"].tolist(), tracks["id"].tolist())
        features = Features.open(stores.results.open("embed", next(others)), frame_level)
        heard[Condition(*condition)] = Heard(features, rows)
    info = json.loads((embedded / "embedding.json").read_text())
    features, rate = Features.open(embedded, frame_level), info["frame_rate"]
    results = [
        evaluate(_trial(job, tracks, shuffle), features, rate, spec["probes"], spec["seed"], device, heard)
        for shuffle in range(spec.get("shuffles", 1))
    ]
    scores, predictions = (pd.concat(tables, ignore_index=True) for tables in zip(*results, strict=True))
    _write_scores(job, draft, scores, predictions, info.get("crops"))


def _supervised(job: Job, stores: Stores, draft: Draft) -> None:
    import numpy as np
    import torch
    from safetensors.torch import load_file

    from benchmark.probing.evaluate import Condition, rows_of
    from benchmark.probing.supervised import Audible, train_supervised

    device, spec = take_device(), job.spec
    waves = _labelled(job, stores, job.needs[0], spec["corpus"])
    trial = _trial(job, waves.tracks)
    tuned = "protocol" in spec
    conditions = {
        Condition(*condition): Audible(waves, trial.test, trial.test) for condition in spec.get("conditions", [])
    }
    if (second := Condition(SECOND_FONT, 1)) in conditions:
        other = open_waveforms(stores.data, job.needs[1 + tuned], FONT_CORPORA[spec["corpus"]])
        rows = rows_of(other.tracks["id"].tolist(), waves.tracks["id"].tolist())
        at = np.flatnonzero(np.isin(rows, trial.test))
        conditions[second] = Audible(other, at, rows[at])
    chosen = (spec["fraction"], spec["resample"])
    subset = next(s for s in trial.subsets if (s.fraction, s.resample) == chosen)
    torch.manual_seed(spec["seed"])
    encoder = registry.encoders.get(spec["encoder"])()
    if tuned:
        encoder.load_state_dict(load_file(stores.results.open("pretrain", job.needs[1]) / "encoder.safetensors"))
    recipe = _recipe(spec, trial.task)
    result = train_supervised(trial, waves, encoder, subset, spec["seed"], device, recipe, conditions)
    # its head is linear, whatever probes read the others: it stands beside each of them
    results = [(name, result) for name in (["finetune_linear"] if tuned else spec["probes"])]
    _write_scores(job, draft, *trial.scored(results, encoder.frame_rate, {c: a.rows for c, a in conditions.items()}))


def _recipe(spec: dict[str, Any], task: Any) -> Any:
    """How a task's labels are learned: as the teacher's options say, augmented only where the labels stay true."""
    from benchmark.probing.search import Recipe

    teacher = registry.strategies.get(spec["teacher"]["strategy"])
    options = teacher.Config.model_validate(spec["teacher"]["options"])
    rates = options.finetune_rates if "protocol" in spec else options.learning_rates
    augments = options.augments and labels_hold(options, task)
    views = (lambda encoder: teacher(encoder, options).views) if augments else None
    return Recipe(rates, spec["crops"], options.batch_size, views, spec["precision"], options.plain)


def _write_scores(job: Job, draft: Draft, scores: Any, predictions: Any, crops: float | None = None) -> None:
    """Write what a job found, beside who was read: after how many crops, and which share of its pre-training."""
    identity = {k: job.spec[k] for k in ("strategy", "encoder", "pretrain_corpus", "seed")}
    identity |= {"crops": float("nan") if crops is None else float(crops), "share": job.spec.get("share", 1.0)}
    scores = scores.assign(**identity, key=job.key)
    if identity["share"] == 1:  # pairs are compared where pre-training has ended
        clean = scores[scores["draws"].notna() & (scores["severity"] == 0)]
        clean[DRAWS].to_parquet(draft.path / "draws.parquet", index=False)
    scores.drop(columns=["draws", "groups"]).to_parquet(draft.path / "scores.parquet", index=False)
    predictions.to_parquet(draft.path / "predictions.parquet", index=False)


_RUNNERS = {
    "preflight": _preflight,
    "supervised": _supervised,
    "catalog": _catalog,
    "labels": _labels,
    "shard": _shard,
    "waveforms": _waveforms,
    "trunk": _pretrain,
    "pretrain": _pretrain,
    "snapshot": _pretrain,
    "embed": _embed,
    "probe": _probe,
    "control": _probe,
}

"""Write a row's encoder to a folder of its own: weights, configuration, model card, and TorchScript if asked for."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from benchmark import __version__, registry
from benchmark.encoders.exported import CARD, CONFIG, SCRIPT, WEIGHTS, About, about_of, exported, read_about
from benchmark.files import replacing
from benchmark.interfaces import UserError
from benchmark.leaderboard.record import nominal
from benchmark.modules import Encoder
from benchmark.pretrained.card import card
from benchmark.pretrained.choose import Chosen
from benchmark.pretrained.script import script
from benchmark.pretraining.readout import weights_file
from benchmark.scheduler.planning.keys import check_source

Format = Literal["safetensors", "torchscript"]


def export(chosen: Chosen, folder: Path, half: bool = False, format: Format = "safetensors") -> list[Path]:
    """Write it.

    Args:
        chosen: which weights.
        folder: a new one, an empty one, or that of an earlier export, which is replaced.
        half: round weights to float16: half the size, and numbers a little unlike those that were scored.
        format: `torchscript` writes the network as well.

    Returns:
        The files.

    Raises:
        UserError: there is something else in the folder, the artefact is damaged, or the encoder cannot be scripted.
    """
    _check_room(folder)
    encoder = _encoder(chosen)
    if half:
        encoder.load_state_dict({name: _halved(x) for name, x in encoder.state_dict().items()})
    traced = script(encoder) if format == "torchscript" else None
    weights = save({name: (_halved(x) if half else x).contiguous() for name, x in encoder.state_dict().items()})
    about = _about(chosen, encoder, hashlib.sha256(weights).hexdigest(), half)
    told = card(chosen, about, traced is not None)
    _clear(folder)
    (folder / WEIGHTS).write_bytes(weights)
    (folder / CARD).write_text(told, encoding="utf-8")
    if traced is not None:
        traced.save(folder / SCRIPT)
    with replacing(folder / CONFIG) as draft:  # the last: without it there is no export
        draft.write_text(about.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return _files(folder)


def copy(
    kept: Path,
    folder: Path,
    encoder: str = "",
    seed: int | None = None,
    crops: float | None = None,
    half: bool = False,
    format: Format = "safetensors",
) -> list[Path]:
    """Copy an export that lies beside the tables, whose trainings are elsewhere; what is left open may be as it is.

    Args:
        kept: its folder.
        folder: a new one, an empty one, or that of another export, which is replaced.
        encoder: that it is to be of, as `seed` and `crops`.
        half: whether it is to be in float16.
        format: `torchscript` if it is to have the network as well.

    Returns:
        The files.

    Raises:
        UserError: it is something else, or damaged, or there is something else in the folder.
    """
    about = exported(kept)[1]
    heard = about.crops or 0
    for option, is_so, has in (
        (f"--encoder {encoder}", encoder in ("", about.encoder), f"is of {about.encoder}"),
        (f"--seed {seed}", seed in (None, about.seed), f"is of seed {about.seed}"),
        (f"--crops {crops}", crops is None or nominal(crops) == nominal(heard), f"heard {heard:,.0f}"),
        ("--half", about.half or not half, "is in full precision"),
        (f"--format {format}", format == "safetensors" or (kept / SCRIPT).is_file(), "has no TorchScript"),
    ):
        if not is_so:
            raise UserError(
                f"{option}: the row's trainings are not here, only an export, {kept}, which {has}; leave the option "
                "out, or run the grid again"
            )
    if folder.resolve() == kept.resolve():
        raise UserError(f"--to {folder}: is where it lies already; name a new folder")
    _check_room(folder)
    _clear(folder)
    for path in sorted(_files(kept), key=lambda path: path.name == CONFIG):  # the last, as in an export
        with replacing(folder / path.name) as draft:
            shutil.copyfile(path, draft)
    return _files(folder)


def _files(folder: Path) -> list[Path]:
    return [path for name in (WEIGHTS, CONFIG, CARD, SCRIPT) if (path := folder / name).is_file()]


def _encoder(chosen: Chosen) -> Encoder:
    problems = chosen.store.verify("pretrain", chosen.key)
    if problems:
        raise UserError(
            f"pretrain {chosen.key[:12]} is damaged: {'; '.join(problems)}; run the grid again to rebuild it"
        )
    check_source(chosen.manifest["spec"], is_made=True)
    encoder: Encoder = registry.encoders.get(chosen.encoder)()
    trained = chosen.manifest["spec"].get("encoder_version")
    if trained != encoder.info.version:
        raise UserError(
            f"{chosen.row}: its weights are for version {trained} of {chosen.encoder}, and this is version "
            f"{encoder.info.version}; run the grid again, or export with the version that made them"
        )
    encoder.load_state_dict(load_file(chosen.store.folder("pretrain", chosen.key) / weights_file()))
    return encoder.eval()


def _check_room(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--to {folder}: is a file; name a folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    with contextlib.suppress(UserError):
        if read_about(folder) is not None:
            return
    raise UserError(f"--to {folder}: there is something else in it, which is not overwritten; name a new folder")


def _clear(folder: Path) -> None:
    """Take away an earlier export, the configuration first, so that no half of it looks whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG, CARD, WEIGHTS, SCRIPT):
        (folder / name).unlink(missing_ok=True)


def _halved(x: Tensor) -> Tensor:
    """Float16, where all numbers have a place in it."""
    fits = x.is_floating_point() and bool((x.abs() <= torch.finfo(torch.float16).max).all())
    return x.half() if fits else x


def _about(chosen: Chosen, encoder: Encoder, sha256: str, half: bool) -> About:
    spec, heard = chosen.manifest["spec"], chosen.manifest["info"].get("crops")
    # weights that came from an export, and were not trained on, are still what that says of them
    first = about_of(spec["export"])[1] if "export" in spec and not heard else None
    names = [part.split("/")[0] for part in chosen.corpus.split(" + ")]
    known = {name: registry.corpora.get(name).licence for name in names if name in registry.corpora.names()}
    return About(
        encoder=chosen.encoder,
        encoder_version=encoder.info.version,
        encoder_source=registry.encoders.source_hash(chosen.encoder),
        sha256=sha256,
        half=half,
        sample_rate=encoder.sample_rate,
        embedding_dim=encoder.embedding_dim,
        frame_rate=encoder.frame_rate,
        row=chosen.row,
        strategy=first.strategy if first else spec["strategy"],
        options=first.options if first else spec["options"],
        seed=first.seed if first else chosen.seed,
        crops=first.crops if first else heard,
        corpus=first.corpus if first else chosen.corpus,
        licences=known,
        labels=chosen.run.labels_of(chosen.row),
        key=chosen.key,
        made_with=f"mir-pretext {chosen.run.version or __version__}",
    )

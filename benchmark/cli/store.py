"""`store`: what is damaged in a results folder or data folder, what nobody needs, and its way to other machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark import registry
from benchmark.cli.options import Data, Home, Plugins, data_folder, say, set_home, split_names
from benchmark.interfaces import UserError

if TYPE_CHECKING:
    from benchmark.bookkeeping.upkeep import Damage

store = typer.Typer(no_args_is_help=True, help="Verify, clean, export and merge results folders and data folders.")

Folder = Annotated[Path, typer.Argument(help="A results folder, or a data folder.")]


@store.command("verify")
def store_verify(
    folder: Folder,
    repair: Annotated[bool, typer.Option("--repair", help="Discard what is damaged: the next run remakes it.")] = False,
) -> None:
    """Read every byte of every artefact; exit code 1 if any is damaged, or a score that FOLDER shows has none any more.

    Compares it with its manifest, and that with its key. Nothing is signed: who wrote both is not checked.
    """
    from benchmark.bookkeeping.upkeep import artefacts, damaged, existing, scored, strangers

    found, keys = existing(folder)
    there = artefacts(found, keys)
    count, faulty = len(there), list(damaged(found, keys))
    _print_damage(faulty)
    for path in strangers(found):
        say(f"not an artefact, not looked into: {path}")
    if repair:
        for damage in faulty:
            found.discard(*damage.at)
    verb = "discarded; the next run remakes them" if repair else "damaged"
    say(
        f"{len(faulty)} of {count} artefacts {verb}"
        if faulty
        else f"all {count} artefacts are what their manifests say"
    )
    lost = scored(folder) - {at.key for at in there}
    if lost:
        say(f"{len(lost)} scored artefacts of the last run are not there: the same command makes them again")
    raise typer.Exit(1 if faulty or lost else 0)


@store.command("gc")
def store_gc(
    folder: Folder,
    grids: Annotated[
        list[str] | None,
        typer.Option("--grid", help="To keep: a name, a YAML file, or a results folder (its last run). Repeatable."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; otherwise it is only listed.")] = False,
    plugin: Plugins = None,
    data_home: Home = None,
    data_dir: Data = None,
) -> None:
    """Remove from FOLDER's store what none of the grids needs, nor the last run into any folder that uses it.

    Folders on other machines are users, too, and so are those of which not even the folder above is there.
    """
    from benchmark.bookkeeping.outputs import users
    from benchmark.bookkeeping.upkeep import artefacts, existing, garbage, is_in_use, needed_by, remove, strangers
    from benchmark.store.artefacts import human_bytes

    set_home(data_home)
    data_folder(data_dir)
    if plugin:
        registry.load_plugins(plugin)
    found, _ = existing(folder)
    needed = needed_by(grids or [], found.root)
    if yes and is_in_use(found):
        raise UserError(f"{folder}: a run is going on there; wait for its end, or stop it")
    total, doomed = len(artefacts(found)), [(piece, piece.size) for piece in garbage(found, needed)]
    for piece, size in doomed:
        kind = f"{piece.at.kind} {piece.at.key[:12]}" if piece.at else f"{piece.what} {piece.path.name[:12]}"
        say(f"{kind:<24} {human_bytes(size):>12}  {piece.about}")
        if yes:
            remove(found, piece)
    for path in strangers(found):
        say(f"not an artefact, left alone: {path}")
    for user in users(found.root):
        if not user.out.is_dir():
            where = f"{user.out} on {user.host}" if user.host else str(user.out)
            say(f"kept for {where}, which cannot be seen from here; if it is no more, remove {user.note}")
    gone = sum(piece.at is not None for piece, _ in doomed)
    verb, hint = ("removed", "") if yes else ("would go", "; --yes removes them")
    say(
        f"{verb}: {gone} of {total} artefacts and {len(doomed) - gone} leftovers, "
        f"{human_bytes(sum(size for _, size in doomed))}{hint if doomed else ''}"
    )


@store.command("export")
def store_export(
    folder: Folder,
    archive: Annotated[Path, typer.Argument(help="The archive to write: .tar, .tar.gz, .tgz or .tar.xz.")],
    kinds: Annotated[str, typer.Option(help="Comma-separated kinds (pretrain, probe, ...); by default all.")] = "",
    scores_only: Annotated[
        bool, typer.Option("--scores-only", help="Scores and predictions; no weights, no embeddings.")
    ] = False,
    best_weights: Annotated[
        int | None,
        typer.Option(min=0, metavar="MB", help="The weights that score best, as many as fit into so many MB."),
    ] = None,
) -> None:
    """Write all complete artefacts into one archive; exit code 1 if damaged ones were left out."""
    from benchmark.bookkeeping.archive import export
    from benchmark.bookkeeping.best import best_checkpoints
    from benchmark.bookkeeping.record import SCORED
    from benchmark.bookkeeping.upkeep import artefacts, existing
    from benchmark.store.artefacts import human_bytes

    if sum([bool(kinds), scores_only, best_weights is not None]) > 1:
        raise UserError("--kinds, --scores-only and --best-weights: give one of them")
    found, own = existing(folder)
    scored = [kind for kind in SCORED if kind in {at.kind for at in artefacts(found, own)}]
    if scores_only and not scored:
        raise UserError(f"{folder}: there are no scores in it; it is no results folder, or nothing was scored yet")
    keys = own if best_weights is None else best_checkpoints(folder, found, best_weights * 2**20)
    outcome = export(found, archive, scored if scores_only else split_names(kinds), keys)
    _print_damage(outcome.damaged)
    say(f"{len(outcome.done)} artefacts exported, {human_bytes(archive.stat().st_size)}")
    say(str(archive))
    raise typer.Exit(1 if outcome.damaged else 0)


@store.command("import")
def store_import(
    archive: Annotated[Path, typer.Argument(help="What 'store export' wrote.")],
    folder: Annotated[Path, typer.Argument(help="A data folder, or another store; it may be a new one.")],
) -> None:
    """Merge an archive into a folder: what is there stays; exit code 1 if damaged artefacts were left out."""
    from benchmark.bookkeeping.archive import merge
    from benchmark.store.artefacts import Store

    outcome = merge(archive, Store(folder))
    _print_damage(outcome.damaged)
    say(
        f"{len(outcome.done)} artefacts imported, {len(outcome.present)} were there already; "
        f"'python -m benchmark run' with the same grid and --store (or --data-dir) {folder} goes on from here "
        "and shows them; so does 'report', in a folder of their own"
    )
    raise typer.Exit(1 if outcome.damaged else 0)


def _print_damage(found: list[Damage]) -> None:
    for damage in found:
        line = f"damaged: {damage.at.kind} {damage.at.key[:12]}  {damage.about}: {'; '.join(damage.problems)}"
        say(line, err=True)

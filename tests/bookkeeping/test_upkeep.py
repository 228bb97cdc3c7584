"""Upkeep of stores: damage is found where it is, and exactly what no grid needs goes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from stores import call, filled, flip, of, put, tree

from benchmark.bookkeeping.archive import export, merge
from benchmark.bookkeeping.outputs import LINK, Link, link, link_of
from benchmark.bookkeeping.status import Reporter
from benchmark.bookkeeping.upkeep import Address, about, artefacts, damaged, garbage, needed_by, remove, strangers
from benchmark.drive import used_by_others
from benchmark.files import host_name
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.passing import Passing
from benchmark.scheduler.planning.plan import plan
from benchmark.store.artefacts import MANIFEST, Store, content_key
from benchmark.store.job import Stores
from benchmark.store.locks import StoreLocks

GRID = {
    "name": "toy",
    "corpus": "rendered_notes",
    "size": "tiny",
    "strategies": ["simclr"],
    "encoders": ["cnn_small"],
    "tasks": ["pitch"],
    "fractions": {1.0: 1},
    "probes": ["linear"],
    "seeds": [0],
    "pretrain": {"crops": 640},
}


@pytest.fixture
def full(tmp_path: Path) -> Store:
    return filled(tmp_path / "full")


# -- verify


def test_a_sound_store_has_no_damage(full: Store) -> None:
    assert len(artefacts(full)) == 6
    assert list(damaged(full)) == []
    result = call("verify", full.root)
    assert result.exit_code == 0
    assert "all 6 artefacts are what their manifests say" in result.output


def test_a_flipped_bit_anywhere_is_found_where_it_is(full: Store) -> None:
    """In any file of an artefact that is not empty, its manifest among them."""
    victim = of(full, "embed")[1]
    files = [path for path in full.folder(*victim).rglob("*") if path.is_file() and path.stat().st_size]
    assert len(files) == 3
    for path in files:
        flip(path)
        assert [damage.at for damage in damaged(full)] == [victim]
        flip(path)
    assert list(damaged(full)) == []


def test_repair_discards_the_damaged_and_nothing_else(full: Store) -> None:
    (missing, changed), before = of(full, "probe"), tree(full.root)
    (full.folder(*missing) / "empty.npy").unlink()
    flip(full.folder(*changed) / "sub" / "weights.bin")
    found = call("verify", full.root)
    assert found.exit_code == 1
    assert f"damaged: probe {missing.key[:12]}  strategy simclr, task key, seed" in found.output
    assert "empty.npy cannot be read" in found.output
    assert "2 of 6 artefacts damaged" in found.output
    assert len(artefacts(full)) == 6, "without --repair nothing changes"
    assert call("verify", full.root, "--repair").exit_code == 1
    assert tree(full.root) == {name: data for name, data in before.items() if not name.startswith("probe/")}
    assert call("verify", full.root).exit_code == 0


@pytest.mark.parametrize("command", [["verify"], ["gc", "--grid", "smoke"], ["export", "x.tar"]])
def test_a_folder_without_artefacts_is_no_store(tmp_path: Path, command: list[str]) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        result = call(command[0], folder, *command[1:])
        assert isinstance(result.exception, UserError)
        assert "name a results folder or a data folder" in str(result.exception)
    assert list(tmp_path.iterdir()) == [], "nothing was made"


# -- gc


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(GRID))
    return path


@pytest.fixture
def planned(tmp_path: Path) -> Store:
    """A store that holds all of the plan of GRID, as toys."""
    store = Store(tmp_path / "planned")
    for job in plan(Grid.model_validate(GRID)).values():
        with store.writing(job.kind, job.key, job.spec) as draft:
            (draft.path / "toy").write_text(job.name)
    return store


def test_gc_keeps_exactly_what_the_grid_needs(planned: Store, grid: Path) -> None:
    before = tree(planned.root)
    for kind in ("shard", "pretrain", "probe"):
        put(planned, kind, 7)
    put(planned, "toys", 7)
    needed = next(
        at for at in artefacts(planned) if at.kind == "probe" and f"probe/{at.key[:2]}/{at.key}/toy" in before
    )
    logs = planned.root / "logs"
    logs.mkdir()
    for name in (needed.key, "0" * 64, "driver"):
        (logs / f"{name}.log").write_text("log")
    planned.scratch("pretrain", "1" * 64)
    planned.scratch("pretrain", of(planned, "pretrain")[0].key)
    orphan = planned.root / "tmp" / f"{needed.key}.{host_name()}.{_dead_pid()}.0"
    orphan.mkdir()

    told = call("gc", planned.root, "--grid", grid)
    assert told.exit_code == 0
    assert "would go: 3 of" in told.output
    assert "4 leftovers" in told.output
    assert len(list(planned.root.rglob("toy"))) == sum(name.endswith("/toy") for name in before)
    assert orphan.exists()
    assert (logs / f"{'0' * 64}.log").exists()

    assert "removed: 3 of" in call("gc", planned.root, "--grid", grid, "--yes").output
    after = tree(planned.root)
    assert {name for name in after if name.startswith("toys/")}, "kinds that no grid makes are nobody's garbage"
    kept = {name: data for name, data in after.items() if not name.startswith(("toys/", "logs/"))}
    assert kept == before
    assert sorted(path.name for path in logs.iterdir()) == sorted([f"{needed.key}.log", "driver.log"])
    assert not orphan.exists()
    assert not any((planned.root / "scratch" / "pretrain").iterdir())


def _dead_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def test_checkpoints_of_needed_unfinished_jobs_stay(planned: Store, grid: Path) -> None:
    unfinished = of(planned, "pretrain")[0]
    planned.discard(*unfinished)
    (planned.scratch(*unfinished) / "last.ckpt").write_bytes(b"step 500")
    assert list(garbage(planned, needed_by([str(grid)], planned.root))) == []


def test_more_grids_keep_more(planned: Store, grid: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump({**GRID, "strategies": ["byol"]}))
    for job in plan(Grid.model_validate({**GRID, "strategies": ["byol"]})).values():
        if not planned.is_done(job.kind, job.key):
            put(planned, job.kind, 3, job)
    assert "would go: 0 of" in call("gc", planned.root, "--grid", grid, "--grid", other).output
    alone = call("gc", planned.root, "--grid", grid).output
    assert f"would go: {len(keys(strategies=['byol']) - keys())} of" in alone


def keys(**changes: object) -> set[str]:
    return set(plan(Grid.model_validate({**GRID, **changes})))


def test_what_folders_show_is_kept_whatever_options_they_were_run_with(
    planned: Store, grid: Path, tmp_path: Path
) -> None:
    """Runs say in the store which folders they made; what these show must survive a `gc` that knows one grid only."""
    ran = Grid.model_validate({**GRID, "corruptions": {"noise": [1]}, "seeds": [0, 1]})
    for job in plan(ran).values():
        if not planned.is_done(job.kind, job.key):
            put(planned, job.kind, 4, job)
    shown = put(planned, "probe", 5)  # by an earlier version: no grid makes it now
    extra = len(plan(ran).keys() - keys()) + 1
    assert f"would go: {extra} of" in call("gc", planned.root, "--grid", grid).output
    folders = [tmp_path / name for name in ("ran", "old", "gone")]
    for folder, used in zip(folders, (plan(ran), [shown.key], [put(planned, "probe", 6).key]), strict=True):
        link(folder, planned.root, used)
    assert "would go: 0 of" in call("gc", planned.root, "--grid", grid).output
    without = call("gc", planned.root).output
    assert f"would go: {len(keys() - plan(ran).keys())} of" in without, "the probe without corruption"
    shutil.rmtree(folders[2])
    assert "would go: 1 of" in call("gc", folders[0], "--grid", grid).output, "of whoever uses it, their store is meant"
    (folders[0] / "collected.json").write_text(json.dumps({"grid": ran.model_dump(mode="json"), "keys": []}))
    (folders[0] / LINK).unlink()
    assert "would go: 1 of" in call("gc", planned.root, "--grid", grid, "--grid", folders[0]).output


@pytest.mark.parametrize("where", ["another machine", "a disk that is away"])
def test_what_a_folder_shows_that_cannot_be_seen_from_here_stays(
    planned: Store, grid: Path, tmp_path: Path, where: str
) -> None:
    shown = put(planned, "probe", 5)
    folder = tmp_path / "disk" / "out"
    link(folder, planned.root, [shown.key])
    (note,) = (planned.root / "outputs").glob("*.json")
    if where == "another machine":
        note.write_text(json.dumps({**json.loads(note.read_text()), "host": "b-12345678"}))
        (folder / LINK).write_text(json.dumps({"store": "/", "keys": []}))  # a folder of that name is here, too
        shutil.rmtree(folder)
    else:
        folder.parent.rename(tmp_path / "away")
    said = call("gc", planned.root, "--grid", grid, "--yes").output
    assert "removed: 0 of" in said
    assert f"kept for {folder} on " in said
    assert planned.is_done("probe", shown.key)
    note.unlink()
    assert "removed: 1 of" in call("gc", planned.root, "--grid", grid, "--yes").output


@pytest.mark.parametrize("what", ["renamed", "without its link", "on a disk that is mounted there at other times"])
def test_what_a_folder_shows_that_was_not_removed_stays(planned: Store, grid: Path, tmp_path: Path, what: str) -> None:
    shown, folder = put(planned, "probe", 5), tmp_path / "disk" / "out"
    link(folder, planned.root, [shown.key])
    if what == "renamed":
        folder.rename(folder.with_name("renamed"))
    elif what == "without its link":
        (folder / LINK).unlink()
    else:
        shutil.rmtree(folder)
    assert "removed: 0 of" in call("gc", planned.root, "--grid", grid, "--yes").output
    assert planned.is_done("probe", shown.key)


def test_sound_that_a_run_with_another_store_uses_stays(planned: Store, grid: Path, tmp_path: Path) -> None:
    sound = put(planned, "waveforms", 5)
    assert "would go: 1 of" in call("gc", planned.root, "--grid", grid).output
    link(tmp_path / "out", tmp_path / "store", [sound.key], planned.root)
    assert "would go: 0 of" in call("gc", planned.root, "--grid", grid).output
    assert link_of(tmp_path / "out") == Link(tmp_path / "store", frozenset([sound.key]))


def test_gc_waits_for_a_run_that_keeps_its_claims_in_another_store(planned: Store, grid: Path, tmp_path: Path) -> None:
    locks = StoreLocks(Stores(planned.root, tmp_path / "store"))
    locks.attend()
    assert "a run is going on there" in str(call("gc", planned.root, "--grid", grid, "--yes").exception)
    locks.release()
    assert call("gc", planned.root, "--grid", grid, "--yes").exit_code == 0


def test_what_another_driver_has_in_its_grid_is_not_let_go(planned: Store, tmp_path: Path) -> None:
    jobs, stores = plan(Grid.model_validate(GRID)), Stores(planned.root, planned.root)
    theirs = {at.key for at in of(planned, "embed")}
    link(tmp_path / "theirs", planned.root, theirs)
    assert not used_by_others(stores, tmp_path / "mine"), "nobody is at work there"
    with Reporter(tmp_path / "theirs", planned, [], lambda _: None, 1, lambda _: None):
        assert used_by_others(stores, tmp_path / "mine") == theirs
        assert not used_by_others(stores, tmp_path / "theirs")
    (planned.root / "outputs" / "odd.json").write_text("{")
    with pytest.raises(UserError, match=r"odd\.json says nothing that can be read"):
        Passing(jobs, stores, used=lambda: used_by_others(stores, tmp_path / "mine")).let_go()
    assert {at.key for at in of(planned, "embed")} == theirs
    Passing(jobs, stores, used=lambda: theirs).let_go()
    assert {at.key for at in of(planned, "embed")} == theirs
    Passing(jobs, stores).let_go()
    assert not of(planned, "embed")


def test_what_goes_while_it_is_looked_at_is_not_damaged(full: Store, tmp_path: Path) -> None:
    """A run lets embeddings go that nobody needs any more."""
    gone = of(full, "embed")[0]

    class Beside(Store):
        def verify(self, kind: str, key: str) -> list[str]:
            if key == gone.key:
                full.discard(kind, key)
            return super().verify(kind, key)

        def manifest(self, kind: str, key: str) -> dict[str, Any]:
            said = super().manifest(kind, key)
            if kind == "probe":
                full.discard(kind, key)
            return said

    beside = Beside(full.root)
    assert list(damaged(beside)) == []
    put(full, "embed", 1)
    outcome = export(beside, tmp_path / "all.tar")
    assert not outcome.damaged
    assert len(outcome.done) == 6 - len(of(filled(tmp_path / "whole"), "probe")) - 1
    assert len(merge(tmp_path / "all.tar", Store(tmp_path / "other")).done) == len(outcome.done)


def test_a_results_folder_means_what_it_uses_of_its_store(planned: Store, tmp_path: Path) -> None:
    mine, other = (of(planned, kind)[0] for kind in ("pretrain", "probe"))
    link(tmp_path / "mine", planned.root, [mine.key])
    (planned.folder(*other) / "toy").write_text("else")
    assert "all 1 artefacts are what" in call("verify", tmp_path / "mine").output
    assert "1 of" in call("verify", planned.root).output
    assert "1 artefacts exported" in call("export", tmp_path / "mine", tmp_path / "mine.tar").output
    (tmp_path / "mine" / "collected.json").write_text(json.dumps({"keys": [mine.key, 64 * "0"]}))
    less = call("verify", tmp_path / "mine")
    assert less.exit_code == 1
    assert "1 scored artefacts of the last run are not there" in less.output
    (tmp_path / "mine" / LINK).write_text("{")
    assert "artefacts.json says nothing that this version can read" in str(call("verify", tmp_path / "mine").exception)
    link(tmp_path / "mine", tmp_path / "elsewhere", [mine.key])
    shutil.rmtree(tmp_path / "elsewhere")
    assert "elsewhere, which is not there" in str(call("verify", tmp_path / "mine").exception)


def test_gc_without_a_grid_is_refused(planned: Store) -> None:
    result = call("gc", planned.root, "--yes")
    assert isinstance(result.exception, UserError)
    assert "--grid" in str(result.exception)
    assert list(damaged(planned)) == []


def test_a_folder_without_manifest_is_listed_and_a_stranger_stays(planned: Store, grid: Path) -> None:
    needed = of(planned, "embed")[0]
    (planned.folder(*needed) / MANIFEST).unlink()
    stranger = planned.root / "embed" / "notes of mine"
    stranger.mkdir()
    (stranger / "thesis.txt").write_text("years of work")
    told = call("gc", planned.root, "--grid", grid)
    assert f"embed {needed.key[:12]}" in told.output
    assert "damaged: its manifest is missing" in told.output
    assert f"left alone: {stranger}" in told.output
    assert planned.folder(*needed).is_dir()
    call("gc", planned.root, "--grid", grid, "--yes")
    assert not planned.folder(*needed).exists()
    assert (stranger / "thesis.txt").is_file()


def test_symbolic_links_are_never_followed(planned: Store, tmp_path: Path) -> None:
    """A kind, a prefix, an artefact, a log folder and a file in scratch that point elsewhere: elsewhere stays whole."""
    elsewhere = Store(tmp_path / "elsewhere")
    for kind in ("probe", "embed"):
        put(elsewhere, kind, 5)
    (elsewhere.root / "logs").mkdir()
    (elsewhere.root / "logs" / f"{'2' * 64}.log").write_text("log")
    before = tree(elsewhere.root)
    probe, embed = of(elsewhere, "probe")[0], of(elsewhere, "embed")[0]
    (planned.root / "supervised").symlink_to(elsewhere.root / "probe")
    (planned.root / "logs").symlink_to(elsewhere.root / "logs")
    (planned.root / "pretrain" / "zz").symlink_to(elsewhere.folder(*probe).parent)
    link = planned.root / "embed" / embed.key[:2] / embed.key
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(elsewhere.folder(*embed))
    (planned.scratch("embed", "3" * 64) / "linked").symlink_to(elsewhere.root, target_is_directory=True)

    assert len(strangers(planned)) == 3
    for piece in garbage(planned, set()):
        remove(planned, piece)
    assert artefacts(planned) == []
    assert not (planned.root / "scratch" / "embed" / ("3" * 64)).exists()
    assert tree(elsewhere.root) == before
    assert link.is_symlink()


def test_gc_waits_for_a_run_but_not_for_a_dead_one(planned: Store, grid: Path) -> None:
    put(planned, "probe", 7)
    claim = f"""
from pathlib import Path
from benchmark.store.locks import Locks
assert Locks().take(Path({str(planned.root)!r}) / "locks" / {"4" * 64!r})
print("taken", flush=True)
input()
"""
    driver = subprocess.Popen([sys.executable, "-c", claim], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "taken\n"
        result = call("gc", planned.root, "--grid", grid, "--yes")
        assert "a run is going on there" in str(result.exception)
        driver.kill()
    assert "removed: 1 of" in call("gc", planned.root, "--grid", grid, "--yes").output
    assert list((planned.root / "locks").iterdir()) == []


def test_a_hostile_name_does_not_speak_to_the_terminal(tmp_path):
    store, spec = Store(tmp_path), {"strategy": "evil\n\x1b[2Jdamaged: nothing", "seed": 0}
    key = content_key(spec)
    with store.writing("probe", key, spec) as draft:
        (draft.path / "scores.parquet").write_bytes(b"")
    line = about(store, Address("probe", key))
    assert line == "strategy evil??[2Jdamaged: nothing, seed 0"

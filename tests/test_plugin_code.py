"""Whoever edits a plugin gets new results: its keys follow the code that it is made of, and nobody else's do."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark import own_code, registry
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Grid
from benchmark.scheduler.jobs import run_job
from benchmark.scheduler.planning import keys
from benchmark.scheduler.planning.edits import engines, version_of, words_of_edits
from benchmark.scheduler.planning.plan import plan
from benchmark.store.artefacts import key_of

ROOT = own_code.ROOT
STRATEGY = """
import helper
from strategies.simclr import SimCLR
from benchmark.interfaces import Info

class Mine(SimCLR):
    info = Info("mine", "Mine", "nobody")

    def loss(self, embeddings):
        from late import temperature
        import importlib
        importlib.import_module("named")
        return super().loss(embeddings)
"""
TASK = """
import helper
from tasks.key import Key
from benchmark.interfaces import Info

class Mine(Key):
    info = Info("mine", "Mine", "nobody")
"""
ENCODER = """
import helper
from benchmark.encoders.cnn_small import CNNSmall
from benchmark.interfaces import Info

class Mine(CNNSmall):
    info = Info("mine", "Mine", "nobody")
"""
#: modules beside the plugin, and what they import in turn
BESIDE = {
    "helper.py": "import numpy, package.part",
    "late.py": "import helper, mine\ntemperature = 1\n",
    "named.py": "",
    "package/__init__.py": "",
    "package/part.py": "def late():\n    from . import other\n",
    "package/other.py": "def broken(:",
    "unrelated.py": "import helper",
    "apart/module.py": "",
    "notes.txt": "",
}
GRID = {
    "name": "toy",
    "corpus": "rendered_scores",
    "size": "tiny",
    "encoders": ["cnn_small"],
    "fractions": {1.0: 1},
    "probes": ["linear"],
    "seeds": [0],
    "pretrain": {"crops": 640},
}
BEHIND = {"preflight", "pretrain", "embed", "probe"}
AXES = (registry.strategies, registry.encoders, registry.tasks, registry.corpora)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def jobs(strategy: str = "mine", encoder: str = "cnn_small", task: str = "key") -> dict[str, tuple[str, str]]:
    """Kind and name of each job, where a plugin stands beside what is ours, by key."""
    names: dict[str, Any] = {"strategies": {"simclr": {}, strategy: {}}, "tasks": ["instrument", task]}
    planned = plan(Grid.model_validate({**GRID, **names, "encoders": sorted({"cnn_small", encoder})}))
    return {key: (job.kind, job.name) for key, job in planned.items()}


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path) -> Iterator[None]:
    """Entries are found anew in each test, and modules of plugins imported anew."""
    path = list(sys.path)
    keys._at_first_use.cache_clear()
    for axis in AXES:
        vars(axis).pop("_entries", None)
    yield
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
    for axis in AXES:
        vars(axis).pop("_entries", None)


def changed(
    edit: Callable[[], object], planned: Callable[[], dict[str, tuple[str, str]]] = jobs
) -> set[tuple[str, str]]:
    """Jobs whose keys an edit changes; as many of each kind and name as before."""
    before = planned()
    edit()
    after = planned()
    assert sorted(before.values()) == sorted(after.values())
    return {after[key] for key in after.keys() - before.keys()}


def append(path: Path, text: str = "\n# edited\n") -> Callable[[], object]:
    return lambda: path.write_text(path.read_text() + text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The folder of a plugin file, found as `--plugin` has it found."""
    write(tmp_path, {"mine.py": STRATEGY, **BESIDE})
    sys.path.insert(0, str(tmp_path))
    registry.strategies.add("mine", "mine:Mine")
    return tmp_path


@pytest.mark.parametrize("name", ["mine.py", "helper.py", "late.py", "named.py", "package/part.py", "package/other.py"])
def test_a_file_is_made_of_what_it_imports_from_beside_it(name: str, file: Path) -> None:
    found = changed(append(file / name))
    assert {kind for kind, _ in found} == BEHIND
    assert all("mine" in name for _, name in found), "simclr's keys stand"


@pytest.mark.parametrize("name", ["unrelated.py", "apart/module.py", "notes.txt"])
def test_what_lies_beside_and_is_not_imported_changes_nothing(name: str, file: Path) -> None:
    assert not changed(append(file / name))
    assert not changed(lambda: os.utime(file / "helper.py", (0, 0))), "nor does a date"


def test_what_is_imported_from_where_the_command_was_started_counts_and_a_library_does_not(tmp_path: Path) -> None:
    """`python -m benchmark` looks in the working directory, and PYTHONPATH may name others."""
    for folder in ("beside", "here", "lib/site-packages", "target"):
        sys.path.insert(0, str(tmp_path / folder))
    write(tmp_path / "beside", {"mine.py": "import shared, library, other\n" + STRATEGY.replace("import helper", "")})
    write(tmp_path, {"here/shared.py": "", "lib/site-packages/library.py": "", "target/other.py": ""})
    write(tmp_path, {"target/other-1.dist-info/METADATA": "Name: other\nVersion: 1\n"})
    registry.strategies.add("mine", "mine:Mine")
    assert changed(append(tmp_path / "here/shared.py"))
    assert not changed(append(tmp_path / "lib/site-packages/library.py"))
    assert not changed(append(tmp_path / "target/other.py"))


def test_tasks_and_encoders_are_made_of_their_code_as_well(tmp_path: Path) -> None:
    write(tmp_path, {"helper.py": "", "task_of_mine.py": TASK, "encoder_of_mine.py": ENCODER})
    sys.path.insert(0, str(tmp_path))
    registry.tasks.add("mine", "task_of_mine:Mine")
    registry.encoders.add("mine", "encoder_of_mine:Mine")

    def edit() -> object:
        return append(tmp_path / "helper.py")()

    by_task = changed(edit, lambda: jobs("random", task="mine"))
    assert {kind for kind, _ in by_task} == {"preflight", "probe"}, "what was learned and embedded stands"
    assert all("mine" in name for _, name in by_task)
    by_encoder = changed(edit, lambda: jobs("random", encoder="mine"))
    assert {kind for kind, _ in by_encoder} == BEHIND
    assert all("mine" in name for _, name in by_encoder)


def test_keys_do_not_tell_where_a_plugin_lies_nor_are_names_taken_for_tables(tmp_path: Path) -> None:
    hashes = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        write(folder, {"plugin_2nd.py": STRATEGY, **BESIDE})
        sys.path.insert(0, str(folder))
        registry.strategies.add("mine", "plugin_2nd:Mine")
        hashes.append(registry.strategies.source_hash("mine"))
        shutil.rmtree(folder)
        sys.path.remove(str(folder))
        sys.path_importer_cache.clear()
    assert hashes[0] == hashes[1] != ""


def installed(site: Path, name: str, listed: list[str], **more: str) -> Path:
    """Metadata of a distribution with one strategy, as installers write them; the files are to be there."""
    info = f"{name}-1.0.dist-info"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        "entry_points.txt": f"[benchmark.strategies]\nmine = {name}:Mine\n",
        "INSTALLER": "pip\n",
        **more,
    }
    record = [*listed, *(f"{info}/{file}" for file in (*files, "RECORD"))]
    lines = "".join(f"{file},sha256=stated,1\n" for file in record)
    write(site / info, {**files, "RECORD": lines})
    sys.path.insert(0, str(site))
    return site / info


PARTS = {
    "__init__.py": STRATEGY.replace("import helper", "from .second import x"),
    "second.py": "x = 1\n",
    "v.json": "",
}


def test_an_installed_distribution_is_made_of_what_it_lists(tmp_path: Path) -> None:
    """By what its files hold now, whatever its list says that they held."""
    site = write(tmp_path / "site", {f"made_plugin/{name}": text for name, text in PARTS.items()})
    write(site, {"made_plugin/__pycache__/second.cpython-311.pyc": "", "made_plugin/stray.py": ""})
    write(tmp_path, {"bin/mine": ""})
    listed = [f"made_plugin/{name}" for name in (*PARTS, "__pycache__/second.cpython-311.pyc")]
    info = installed(site, "made_plugin", [*listed, "../bin/mine"])
    for name in ("made_plugin/second.py", "made_plugin/v.json"):
        found = changed(append(site / name))
        assert {kind for kind, _ in found} == BEHIND
        assert all("mine" in name for _, name in found), "simclr's keys stand"
    for path in (site / "made_plugin/stray.py", site / listed[-1], tmp_path / "bin/mine", info / "INSTALLER"):
        assert not changed(append(path)), path
    vars(registry.strategies).pop("_entries")
    write(info, {"entry_points.txt": "[benchmark.strategies]\nmine = made_plugin:SimCLR\n"})
    assert "made_plugin:SimCLR" in registry.strategies.describe("mine")["entry_point"]
    other = registry.strategies.source_hash("mine")
    vars(registry.strategies).pop("_entries")
    write(info, {"entry_points.txt": "[benchmark.strategies]\nmine = made_plugin:Mine\n"})
    assert registry.strategies.source_hash("mine") != other, "of the same files, another class"


def test_an_editable_distribution_is_made_of_its_source_tree(tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {f"src/made_plugin/{name}": text for name, text in PARTS.items()})
    write(tree, {"src/made_plugin/dist/late.py": "", "build/lib/old.py": "", "env/pyvenv.cfg": "", "env/lib.py": ""})
    write(tree, {".tox/hidden.py": "", "README.md": "", "tests/test_mine.py": ""})
    told = json.dumps({"url": tree.as_uri(), "dir_info": {"editable": True}})
    installed(tmp_path / "site", "made_plugin", ["__editable__.pth"], **{"direct_url.json": told})
    sys.path.insert(0, str(tree / "src"))
    for name in ("second.py", "dist/late.py"):
        found = changed(append(tree / "src/made_plugin" / name))
        assert {kind for kind, _ in found} == BEHIND
        assert all("mine" in name for _, name in found), "simclr's keys stand"
    for name in ("build/lib/old.py", "env/lib.py", ".tox/hidden.py", "README.md", "tests/test_mine.py"):
        assert not changed(append(tree / name)), name


@pytest.mark.parametrize("way", ["a path", "metadata in the tree"])
def test_without_a_note_of_the_installer_it_is_found_by_where_its_modules_are(way: str, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {f"made_plugin/{name}": text for name, text in PARTS.items()})
    write(tree, {"made_plugin/second.py": "import beside\nx = 1\n", "beside.py": ""})
    sys.path.insert(0, str(tree))
    if way == "a path":
        installed(tmp_path / "site", "made_plugin", ["__editable__.pth"])
    else:
        metadata = {"PKG-INFO": "Name: made_plugin\nVersion: 1.0\n", "SOURCES.txt": "made_plugin/__init__.py\n"}
        points = {"entry_points.txt": "[benchmark.strategies]\nmine = made_plugin:Mine\n"}
        write(tree / "made_plugin.egg-info", {**metadata, **points})
    assert changed(append(tree / "made_plugin/second.py"))
    assert changed(append(tree / "beside.py"))


def test_what_is_edited_while_a_run_goes_on_leaves_nothing_under_the_old_key(file: Path, tmp_path: Path) -> None:
    """A worker that begins after the edit would import the new code; one that has begun before holds the old."""
    names: dict[str, Any] = {"strategies": {"mine": {}}, "tasks": ["key"]}
    planned = plan(Grid.model_validate({**GRID, **names}))
    (tried,) = (job for job in planned.values() if job.name.startswith("preflight mine"))
    run_job(tried, tmp_path / "data", tmp_path / "first")
    append(file / "helper.py")()
    run_job(tried, tmp_path / "data", tmp_path / "second")
    keys._at_first_use.cache_clear()  # as in a new process
    with pytest.raises(UserError, match="strategies 'mine': its code was edited after this run was planned"):
        run_job(tried, tmp_path / "data", tmp_path / "third")
    assert not (tmp_path / "third").exists()


def test_ours_have_versions_that_speak_for_them() -> None:
    """As they are recorded, no key depends on files of ours."""
    names = [(axis, name) for axis in AXES for name in axis.names() if axis._entry(name).module.startswith(PACKAGES)]
    assert len(names) > 60
    assert {axis.source_hash(name) for axis, name in names} == {""}
    planned = plan(Grid.model_validate(OURS))
    assert not [key for job in planned.values() for key in job.spec if key.endswith("_source")]
    assert {job.key for job in planned.values()} == {key_of(job.spec) for job in planned.values()}


PACKAGES = ("strategies", "tasks", "benchmark")
OURS = {**GRID, "strategies": {"simclr": {}, "mfcc": {}, "supervised": {}}, "tasks": ["key", "tempo"]}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of our code, which counts as what runs."""
    for home in (*own_code.HOMES, *own_code.ROOMS):
        shutil.copytree(ROOT / home, tmp_path / home, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(own_code, "ROOT", tmp_path)
    own_code.look_again()
    keys._at_first_use.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    own_code.look_again()
    keys._at_first_use.cache_clear()


def _ours() -> dict[str, tuple[str, str]]:
    return {key: (job.kind, job.name) for key, job in plan(Grid.model_validate(OURS)).items()}


def _anew(edit: Callable[[], object]) -> set[str]:
    """Names of the jobs that an edit gives other keys."""
    return {name for _, name in changed(edit, _ours)}


def test_who_edits_a_loss_of_ours_gets_new_results_of_all_that_it_is_part_of(checkout: Path) -> None:
    found = _anew(append(checkout / "strategies/losses.py"))
    assert {"preflight simclr on cnn_small", "pretrain simclr cnn_small seed 0"} <= found
    assert any(name.startswith("probe simclr") for name in found)
    assert not [name for name in found if "simclr" not in name and not name.startswith("supervised")]
    assert version_of(registry.strategies, "mfcc") == 1
    assert re.fullmatch(r"\d+, edited [0-9a-f]{8}", str(version_of(registry.strategies, "simclr")))
    (said,) = words_of_edits(Grid.model_validate(OURS))
    assert said.endswith(": strategies/losses.py (simclr)")


@pytest.mark.parametrize(
    ("name", "behind"),
    [
        ("tasks/key.py", "key"),
        ("benchmark/encoders/cnn_small.py", "cnn_small"),
        ("strategies/mfcc.py", "mfcc"),
    ],
)
def test_an_edited_file_of_ours_touches_what_is_made_of_it_alone(checkout: Path, name: str, behind: str) -> None:
    found = _anew(append(checkout / name))
    assert found
    assert not [name for name in found if behind not in name]


def test_an_edited_corpus_of_ours_is_rendered_anew(checkout: Path) -> None:
    found = _anew(append(next((checkout / "benchmark/corpora/rendered").glob("*.py"))))
    assert {name.split()[0] for name in found} >= {"catalog", "render", "join", "pretrain", "probe"}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("benchmark/probing/search.py", {"embed", "probe", "supervised"}),
        ("benchmark/pretraining/train.py", {"pretrain", "embed", "probe", "supervised"}),
    ],
)
def test_what_an_edited_room_of_the_engine_makes_is_made_anew(checkout: Path, name: str, kinds: set[str]) -> None:
    grid = Grid.model_validate(OURS)
    (tried,) = (job for job in plan(grid).values() if job.name.startswith("probe simclr cnn_small seed 0 on key"))
    keys.check_source(tried.spec)
    assert {kind for kind, _ in changed(append(checkout / name), _ours)} == kinds
    assert words_of_edits(grid)[0].endswith(f": {name} (the engine)")
    assert {kind for kind, version in engines().items() if version != keys.ENGINE[kind]} >= kinds - {"embed", "probe"}
    keys._at_first_use.cache_clear()
    if "search" in name:
        with pytest.raises(UserError, match="engine 'probe': its code was edited after this run was planned"):
            keys.check_source(tried.spec)
    keys.check_source(tried.spec, is_made=True)


def test_what_is_put_back_has_the_keys_it_had(checkout: Path) -> None:
    file = checkout / "strategies/losses.py"
    before, text = set(plan(Grid.model_validate(OURS))), file.read_bytes()
    append(file)()
    assert set(plan(Grid.model_validate(OURS))) != before
    file.write_bytes(text.replace(b"\n", b"\r\n"))
    assert set(plan(Grid.model_validate(OURS))) == before, "a checkout with other ends of lines is no edit"


def test_a_new_file_among_ours_counts_as_soon_as_one_of_ours_imports_it(checkout: Path) -> None:
    write(checkout / "strategies", {"beside.py": "value = 1"})
    assert not _anew(lambda: None)
    with_import = _anew(append(checkout / "strategies/mfcc.py", "\nfrom strategies import beside\n"))
    assert with_import
    assert _anew(lambda: write(checkout / "strategies", {"beside.py": "value = 2"})) == with_import


def test_ours_edited_while_a_run_goes_on_leaves_nothing_under_the_old_key(checkout: Path, tmp_path: Path) -> None:
    planned = plan(Grid.model_validate(OURS))
    (tried,) = (job for job in planned.values() if job.name.startswith("preflight simclr"))
    run_job(tried, tmp_path / "data", tmp_path / "first")
    append(checkout / "strategies/losses.py")()
    run_job(tried, tmp_path / "data", tmp_path / "second")  # it has imported it before
    keys._at_first_use.cache_clear()  # as in a new process
    with pytest.raises(UserError, match="strategies 'simclr': its code was edited after this run was planned"):
        run_job(tried, tmp_path / "data", tmp_path / "third")


def test_every_job_is_planned_with_the_code_that_it_is_checked_for(checkout: Path) -> None:
    """Also those that name an entry of which nothing is said, since the keys of what they need say it."""
    for name in own_code.hashes():
        append(checkout / name)()
    grid = Grid.model_validate({**OURS, "strategies": {**OURS["strategies"], "mine": {"strategy": "simclr"}}})
    jobs = [*plan(grid).values(), *plan(grid.model_copy(update={"protocol": "finetune"})).values()]
    assert len(jobs) > 20
    for job in jobs:
        keys.check_source(job.spec)

"""The store: an artefact is whole or not there, whatever is killed, damaged or full."""

import errno
import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.processes import wait_for

from benchmark import files as files_module
from benchmark.interfaces import UserError
from benchmark.store import artefacts as store_module
from benchmark.store.artefacts import CorruptArtefact, DiskFull, Store, content_key
from benchmark.store.job import Stores

SPEC = {"a": 1}
KEY = content_key(SPEC)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def put(store, spec=SPEC, **files):
    key = content_key(spec)
    with store.writing("toy", key, spec) as draft:
        for name, data in (files or {"one": b"1" * 100, "two": b"2" * 200}).items():
            (draft.path / name).write_bytes(data)
        draft.info["seconds"] = 1.5
    return store.folder("toy", key)


def leftovers(store):
    return sorted((store.root / "tmp").glob("*"))


def flip_bit(path, offset=50):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


# -- keys


def test_the_key_ignores_the_order_of_names_and_nothing_else():
    spec = {"a": 1, "b": [1, 2, {"c": None, "d": True}]}
    assert content_key(spec) == content_key({"b": [1, 2, {"d": True, "c": None}], "a": 1})
    others = [
        {"a": 2, "b": [1, 2, {"c": None, "d": True}]},
        {"a": 1, "b": [2, 1, {"c": None, "d": True}]},
        {"a": "1", "b": [1, 2, {"c": None, "d": True}]},
        {"a": 1.0, "b": [1, 2, {"c": None, "d": True}]},
        {"a": True, "b": [1, 2, {"c": None, "d": True}]},
        {"a": 1, "b": [1, 2, {"c": None, "d": 1}]},
        {"a": 1, "b": [1, 2, {"d": True}]},
    ]
    assert len({content_key(other) for other in [spec, *others]}) == 8


def test_the_key_is_the_same_in_every_process_and_version():
    # sha256 of {"a":1,"b":["\u00e4",null,0.1]}, computed with sha256sum
    assert content_key({"b": ["ä", None, 0.1], "a": 1}) == (
        "c8e8d0722b67a8613e0f25c5fbf5e993cc2930bfa97b8d65517e334d4c9ac270"
    )


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ({"a": {"b": [0, Path("x")]}}, TypeError, r"spec\.a\.b\[1\]: PosixPath"),
        ({"a": (1, 2)}, TypeError, r"spec\.a: tuple"),
        ({"a": {1: 2}}, TypeError, r"spec\.a: the key 1 is not a string"),
        ({"a": np.float32(1)}, TypeError, r"spec\.a: float32"),
        ({"a": {1, 2}}, TypeError, r"spec\.a: set"),
        ({"lr": float("nan")}, ValueError, r"spec\.lr: nan"),
        ({"lr": [float("inf")]}, ValueError, r"spec\.lr\[0\]: inf"),
    ],
)
def test_what_has_no_canonical_form_is_refused_by_place(spec, error, message):
    with pytest.raises(error, match=message):
        content_key(spec)


@pytest.mark.parametrize("kind", ["", "../x", "a/b", "Toy", ".hidden", "tmp", "scratch", "locks", "logs"])
def test_a_kind_that_is_no_folder_name_is_refused(store, kind):
    with pytest.raises(ValueError, match="is not a kind"):
        store.folder(kind, KEY)


@pytest.mark.parametrize("key", ["", "..", KEY[:-1], KEY.upper(), KEY + "\n", "../" * 21 + "x"])
def test_a_key_that_is_no_sha256_is_refused(store, key):
    with pytest.raises(ValueError, match="is not a key"):
        store.scratch("toy", key)


# -- writing


def test_an_artefact_is_there_as_a_whole_once_the_block_ends(store):
    with store.writing("toy", KEY, SPEC) as draft:
        (draft.path / "sub").mkdir()
        (draft.path / "sub" / "file.bin").write_bytes(b"abc")
        draft.info["seconds"] = 1.5
        assert not store.folder("toy", KEY).exists()
        assert not store.is_done("toy", KEY)
    assert store.is_done("toy", KEY)
    assert (store.open("toy", KEY) / "sub" / "file.bin").read_bytes() == b"abc"
    assert store.folder("toy", KEY) == store.root / "toy" / KEY[:2] / KEY
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert store.manifest("toy", KEY) == {
        "key": KEY,
        "kind": "toy",
        "spec": {"a": 1},
        "files": {"sub/file.bin": {"bytes": 3, "sha256": abc}},
        "info": {"seconds": 1.5},
    }
    assert leftovers(store) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_raises_leaves_nothing(store, error):
    def write():
        with store.writing("toy", KEY, SPEC) as draft:
            (draft.path / "file").write_bytes(b"abc")
            raise error

    with pytest.raises(error):
        write()
    assert leftovers(store) == []
    assert not store.folder("toy", KEY).exists()


def test_a_complete_artefact_stays_and_a_damaged_one_is_replaced(store):
    folder = put(store, one=b"first")
    put(store, one=b"second")
    assert (folder / "one").read_bytes() == b"first"
    (folder / "one").write_bytes(b"cut")
    put(store, one=b"third")
    assert (store.open("toy", KEY) / "one").read_bytes() == b"third"
    assert leftovers(store) == []


def test_of_two_writers_at_once_one_wins_and_neither_fails(store):
    with store.writing("toy", KEY, SPEC) as slow:
        (slow.path / "one").write_bytes(b"slow")
        put(store, one=b"fast")
    assert (store.open("toy", KEY) / "one").read_bytes() == b"fast"
    assert leftovers(store) == []


def test_a_job_may_not_write_the_manifest_itself(store):
    with pytest.raises(ValueError, match=r"toy: a job may not write a file manifest\.json"):
        put(store, **{"manifest.json": b"{}"})
    assert leftovers(store) == []


def test_scratch_outlives_a_failure_and_goes_with_the_commit(store):
    (store.scratch("toy", KEY) / "last.ckpt").write_bytes(b"step 5")
    with pytest.raises(ValueError, match="boom"), store.writing("toy", KEY, SPEC):
        raise ValueError("boom")
    assert (Store(store.root).scratch("toy", KEY) / "last.ckpt").read_bytes() == b"step 5"
    put(store)
    assert not (store.root / "scratch" / "toy" / KEY).exists()


def test_discard_of_nothing_is_nothing(store):
    store.discard("toy", KEY)
    put(store)
    store.discard("toy", KEY)
    assert not store.folder("toy", KEY).exists()
    assert leftovers(store) == []


# -- kills


def process(call):
    imports = f"import sys; sys.path[:] = {sys.path!r}; from pathlib import Path; from slow_writers import *"
    return subprocess.Popen([sys.executable, "-c", f"{imports}; {call}"])


def test_a_kill_while_writing_leaves_nothing_that_reads_as_complete(store, tmp_path):
    call = f"write_slowly(Path({str(store.root)!r}), {KEY!r}, Path({str(tmp_path / 'started')!r}))"
    with process(call) as writer:
        assert wait_for((tmp_path / "started").exists)
        store.sweep()
        assert len(leftovers(store)) == 1, "a live process keeps its draft"
        writer.send_signal(signal.SIGKILL)
    assert not store.is_done("toy", KEY)
    with pytest.raises(CorruptArtefact, match="missing"):
        store.open("toy", KEY)
    (draft,) = leftovers(store)
    assert store.sweep() == [draft]
    assert leftovers(store) == []
    put(store)
    assert store.is_done("toy", KEY)


def test_kills_at_any_moment_leave_only_whole_artefacts(store, tmp_path):
    dice = random.Random(0)
    for attempt in range(5):
        started = tmp_path / f"started{attempt}"
        with process(f"write_and_discard_for_ever(Path({str(store.root)!r}), Path({str(started)!r}))") as writer:
            assert wait_for(started.exists)
            time.sleep(0.2 * dice.random())
            writer.kill()
        found = [path.parent for path in (store.root / "toy").glob("*/*/manifest.json")]
        assert len(found) == len(list((store.root / "toy").glob("*/*")))
        assert all(store.verify("toy", folder.name) == [] for folder in found)
        store.sweep()
        assert leftovers(store) == []


def test_sweep_leaves_drafts_of_other_hosts_and_strangers(store):
    for name in (f"{KEY}.elsewhere.999999999.abcd", "notes", "a.b.c.d"):
        (store.root / "tmp" / name).mkdir(parents=True)
    assert store.sweep() == []
    assert len(leftovers(store)) == 3


# -- damage


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda folder: (folder / "two").write_bytes(b"2" * 199), "two has 199 bytes instead of 200"),
        (lambda folder: (folder / "two").unlink(), "two cannot be read (No such file or directory)"),
        (lambda folder: flip_bit(folder / "two"), "two has changed (checksum)"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing"),
        (
            lambda folder: os.truncate(folder / "manifest.json", 40),
            "manifest.json is damaged (JSONDecodeError)",
        ),
        (
            lambda folder: os.truncate(folder / "manifest.json", 0),
            "manifest.json is damaged (JSONDecodeError)",
        ),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json is damaged (TypeError)"),
        (lambda folder: edit(folder / "manifest.json", "1.5", "2.5"), "manifest.json is damaged (checksum)"),
        (
            lambda folder: forge(folder / "manifest.json", spec={"a": 2}),
            "manifest.json tells of something else (its specification has another key)",
        ),
        (lambda folder: forge(folder / "manifest.json", files=[]), "manifest.json is damaged (checksum)"),
        (
            lambda folder: (folder / "manifest.json").write_text("[" * 99_999),
            "manifest.json is damaged (RecursionError)",
        ),
    ],
)
def test_damage_is_seen_at_use_and_the_artefact_discarded(store, damage, problem):
    folder = put(store)
    assert store.open("toy", KEY) == folder
    assert store.check("toy", KEY)
    damage(folder)
    assert store.verify("toy", KEY) == [problem]
    assert not store.check("toy", KEY)
    with pytest.raises(CorruptArtefact, match=re.escape(problem)) as caught:
        store.open("toy", KEY)
    assert (caught.value.kind, caught.value.key, caught.value.problems) == ("toy", KEY, [problem])
    assert not folder.exists()
    put(store)
    assert store.verify("toy", KEY) == []


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def forge(path, **changes):
    """A manifest with a right checksum that says something else."""
    manifest = json.loads(path.read_text()) | changes
    del manifest["sha256"]
    path.write_text(json.dumps({**manifest, "sha256": content_key(manifest)}))


def test_a_key_is_that_of_the_specification_less_what_is_only_told_to_the_job(store):
    with pytest.raises(ValueError, match="is not the key of"), store.writing("toy", KEY, {"a": 2}):
        pass
    with store.writing("toy", KEY, {"a": 1, "continues": "x"}):
        pass
    assert store.is_done("toy", KEY)


def test_a_file_that_no_manifest_lists_is_told_but_costs_nobody_the_artefact(store):
    folder = put(store)
    (folder / "draws.parquet").write_bytes(b"")
    (folder / ".DS_Store").write_bytes(b"")
    assert store.verify("toy", KEY) == ["draws.parquet is not in its manifest"]
    assert store.open("toy", KEY) == folder


def test_an_artefact_under_anothers_key_is_not_taken_for_it(store):
    other = content_key({"a": 2})
    folder = store.folder("toy", other)
    folder.parent.mkdir(parents=True)
    put(store).rename(folder)
    assert not store.is_done("toy", other)


def test_large_files_are_hashed_by_check_but_not_by_open(store, monkeypatch):
    monkeypatch.setattr(store_module, "HASHED_AT_OPEN", 150)
    folder = put(store)
    flip_bit(folder / "two")
    assert store.open("toy", KEY) == folder
    assert not store.check("toy", KEY)


def test_check_reads_an_unchanged_file_once(store, monkeypatch):
    put(store)
    read = []
    sha256 = store_module._sha256
    monkeypatch.setattr(store_module, "_sha256", lambda path: read.append(path.name) or sha256(path))
    assert store.check("toy", KEY)
    assert store.check("toy", KEY)
    assert read == ["one", "two"]


def test_the_error_survives_the_way_from_a_worker():
    error = pickle.loads(pickle.dumps(CorruptArtefact("toy", KEY, ["two has changed"])))
    assert str(error) == f"toy {KEY[:12]}: two has changed; run again to rebuild it"
    assert error.key == KEY


# -- errors of the disk, which say nothing about what is on it

NUMBERS = [errno.EIO, errno.EACCES, errno.ESTALE, errno.ETIMEDOUT]


@pytest.fixture
def fails(monkeypatch):
    """Have a method of paths of one name fail a number of times; tells how often it was asked."""
    monkeypatch.setattr(files_module, "PAUSES", (0.0, 0.0))

    def fails(method, name, number, times=99):
        real, asked = getattr(Path, method), []

        def failing(path, *args, **options):
            if path.name != name:
                return real(path, *args, **options)
            asked.append(path)
            if len(asked) <= times:
                raise OSError(number, os.strerror(number))
            return real(path, *args, **options)

        monkeypatch.setattr(Path, method, failing)
        return asked

    return fails


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
@pytest.mark.parametrize(("method", "name"), [("read_bytes", "manifest.json"), ("stat", "two"), ("open", "two")])
def test_what_cannot_be_read_is_an_error_by_name_and_not_damage(store, fails, method, name, number):
    folder = put(store)
    asked = fails(method, name, number)
    for look in (store.open, store.verify):
        with pytest.raises(OSError, match=re.escape(os.strerror(number))) as caught:
            look("toy", KEY)
        assert (caught.value.errno, caught.value.filename) == (number, str(folder / name))
    assert len(asked) == 6, "it was tried again"
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "one", "two"]


@pytest.mark.parametrize(("method", "name"), [("read_bytes", "manifest.json"), ("stat", "two"), ("open", "two")])
def test_a_disk_that_comes_back_costs_a_moment(store, fails, method, name):
    folder = put(store)
    fails(method, name, errno.EIO, times=2)
    assert store.open("toy", KEY) == folder


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_file_systems_that_sync_no_folder_hold_artefacts_as_well(store, monkeypatch, number):
    real = os.fsync

    def fsync(descriptor):
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")).is_dir():
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert store.open("toy", KEY if put(store) else "")
    monkeypatch.setattr(os, "fsync", lambda descriptor: exec("raise OSError(5, 'Input/output error')"))
    with pytest.raises(OSError, match="Input/output error"):
        put(store, {"b": 1})


# -- disks


@pytest.fixture
def small_disk(tmp_path):
    """A real, 1 MiB file system."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"may not mount: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


WRITERS = {
    "bytes": lambda path: path.write_bytes(b"x" * 2**21),
    "numpy, which loses errno": lambda path: np.save(path, np.zeros(2**21, dtype=np.int8)),
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_says_so_and_loses_nothing(small_disk, writer):
    store = Store(small_disk / "store")
    other = content_key({"b": 1})
    put(store, {"b": 1})
    (store.scratch("toy", KEY) / "last.ckpt").write_bytes(b"step 5")
    with pytest.raises(DiskFull) as caught, store.writing("toy", KEY, SPEC) as draft:
        writer(draft.path / "file.npy")
    text = str(caught.value)
    assert text.startswith(f"No space left on {store.root}: toy had written ")
    assert "--data-dir" in text
    assert text.endswith("nothing is lost, run again")
    assert leftovers(store) == []
    assert store.verify("toy", other) == []
    assert (store.scratch("toy", KEY) / "last.ckpt").read_bytes() == b"step 5"
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_a_disk_that_holds_no_more_files_says_that(small_disk):
    subprocess.run(["mount", "-o", "remount,nr_inodes=12", small_disk], check=True)
    store = Store(small_disk / "store")
    with pytest.raises(DiskFull, match=r"its file system holds no more than 12 files of any size \(inodes\)"):
        put(store, **{f"file {number}": b"" for number in range(12)})
    assert leftovers(store) == []


def test_other_errors_of_the_disk_keep_their_name(store):
    with pytest.raises(OSError, match="Is a directory") as caught, store.writing("toy", KEY, SPEC) as draft:
        draft.path.write_bytes(b"")
    assert caught.value.errno == errno.EISDIR


def test_a_root_that_cannot_be_is_a_users_mistake(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for root in (tmp_path / "file", tmp_path / "file" / "under"):
        with pytest.raises(UserError, match=rf"{root}: cannot be written to \(.+\); .*--data-dir.*--out"):
            Store(root).prepare()


def test_a_folder_without_permission_is_a_users_mistake(tmp_path):
    tmp_path.chmod(0o500)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may write anywhere
    try:
        with pytest.raises(UserError, match="Permission denied"):
            Store(tmp_path / "store").prepare()
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o700)


def test_a_kind_on_another_disk_is_refused_before_anything_is_made(small_disk, tmp_path_factory):
    root = tmp_path_factory.mktemp("store")
    (root / "probe").symlink_to(small_disk, target_is_directory=True)
    Store(root).prepare({"embed"})  # nothing is renamed to where it points
    with pytest.raises(UserError, match="probe is on another disk"):
        Store(root).prepare({"embed", "probe"})


def test_what_goes_while_it_is_read_is_to_be_made_again(tmp_path):
    stores, spec = Stores(tmp_path / "data", tmp_path / "results"), {"reads": "toy"}
    key = content_key(spec)
    with stores.results.writing("embed", key, spec) as draft:
        (draft.path / "embeddings.npy").write_bytes(b"all")
    path = stores.results.open("embed", key) / "embedding.json"
    with pytest.raises(FileNotFoundError), stores.reading():
        path.read_bytes()  # the artefact is there: something else is wrong
    stores.results.discard("embed", key)
    with pytest.raises(CorruptArtefact, match="it went while it was read") as error, stores.reading():
        path.read_bytes()
    assert (error.value.kind, error.value.key) == ("embed", key)


def test_reading_asks_for_no_permission_to_write(small_disk):
    store = Store(small_disk / "store")
    folder = put(store)
    before = sorted(small_disk.rglob("*"))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    looked = Store(store.root)
    assert (looked.open("toy", KEY), looked.verify("toy", KEY), looked.is_done("toy", KEY)) == (folder, [], True)
    assert not Store(small_disk / "nowhere").is_done("toy", KEY)
    assert sorted(small_disk.rglob("*")) == before
    with pytest.raises(UserError, match="cannot be written to"):
        looked.prepare()

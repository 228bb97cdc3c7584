"""Claims: one holder at a time, and none that outlives its process."""

import errno
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from benchmark.files import host_name
from benchmark.store.locks import STALE, Locks

TAKE = """
import sys
from pathlib import Path
from benchmark.store.locks import Locks
locks, won = Locks(), []
sys.stdin.readline()
for number in range(300):
    if locks.take(Path(sys.argv[1]) / str(number)):
        won.append(number)
print(*won, flush=True)
sys.stdin.readline()
"""


def racers(folder, count):
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return [subprocess.Popen([sys.executable, "-c", TAKE, str(folder)], **options) for _ in range(count)]


def start(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().split()


def race(folder, count):
    """What each of several processes got, and the processes, which still hold it."""
    processes = racers(folder, count)
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, processes)), processes


def test_several_processes_share_every_key_out(tmp_path):
    won, processes = race(tmp_path, 3)
    for process in processes:
        process.kill()
        process.communicate()
    assert sorted(int(number) for numbers in won for number in numbers) == list(range(300))


def test_the_claims_of_a_killed_process_go_to_others_once_each(tmp_path):
    [all_of_them], [holder] = race(tmp_path, 1)
    assert len(all_of_them) == 300
    locks = Locks()
    assert not locks.take(tmp_path / "7")
    holder.kill()
    holder.communicate()
    won, processes = race(tmp_path, 3)
    for process in processes:
        process.kill()
        process.communicate()
    assert sorted(int(number) for numbers in won for number in numbers) == list(range(300))
    locks.release()


def test_who_is_late_to_remove_a_void_claim_never_opens_a_living_one(tmp_path):
    path, (late, holder, third) = tmp_path / "key", [Locks() for _ in range(3)]
    path.write_bytes(void := json.dumps({"host": host_name(), "pid": os.getpid(), "born": -1.0}).encode())
    assert holder.take(path)
    with ThreadPoolExecutor(2) as pool:
        removals = pool.submit(lambda: [late._remove(path, void) for _ in range(100)])
        while not removals.done():
            assert not third.take(path)
    assert path.read_bytes() == holder._text
    for locks in (late, holder, third):
        locks.release()


def test_a_claim_from_another_host_stands_until_nobody_renews_it(tmp_path):
    path, locks = tmp_path / "key", Locks()
    path.write_text(json.dumps({"host": "another-" + host_name(), "pid": 1, "born": 0.0}))
    assert not locks.take(path)
    old = path.stat().st_mtime - STALE - 5
    os.utime(path, (old, old))
    assert locks.take(path)
    locks.release()


def test_a_claim_that_another_host_has_taken_over_is_its_own(tmp_path):
    """Ours was not renewed for long: this process was stopped."""
    path, locks = tmp_path / "key", Locks()
    assert locks.take(path)
    path.write_text(theirs := json.dumps({"host": "b-12345678", "pid": 1, "born": 1.0}))
    assert not locks.take(path)
    locks.drop(path)
    assert path.read_text() == theirs
    locks.release()


def test_what_is_released_leaves_nothing_behind(tmp_path):
    locks, other = Locks(), Locks()
    assert locks.take(tmp_path / "key")
    assert locks.take(tmp_path / "key")
    assert locks.take(tmp_path / "second")
    assert not other.take(tmp_path / "key")
    locks.drop(tmp_path / "key")
    assert other.take(tmp_path / "key")
    for each in (locks, other):
        each.release()
    assert list(tmp_path.iterdir()) == []


UNREADABLE = {
    "empty": b"",
    "cut": b'{"host": "a", "pi',
    "list": b"[1]",
    "UTF-16": json.dumps({"host": host_name(), "pid": 1, "born": 0.0}).encode("utf-16"),
    "no pid": json.dumps({"host": host_name(), "born": 0.0}).encode(),
    "odd pid": json.dumps({"host": host_name(), "pid": -4, "born": 0.0}).encode(),
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_a_lock_that_says_nothing_is_named_and_void_only_when_it_is_old(text, tmp_path):
    path, locks = tmp_path / "key", Locks()
    path.write_bytes(text)
    assert not locks.take(path)
    assert locks.holder(path) == f"nobody who can be read: {path} is damaged"
    old = path.stat().st_mtime - STALE - 5
    os.utime(path, (old, old))
    locks.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(text)
    os.utime(path, (old, old))
    assert locks.take(path)
    locks.release()


def test_a_claim_dated_in_the_future_is_void_once_nobody_has_renewed_it_for_as_long(tmp_path, monkeypatch):
    path, locks, now = tmp_path / "key", Locks(), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": 0.0}))
    tomorrow = path.stat().st_mtime + 86400
    os.utime(path, (tomorrow, tomorrow))
    assert not locks.take(path)
    now[0] += STALE - 5
    os.utime(path, (tomorrow + 60, tomorrow + 60))  # it is renewed, by a clock that is a day ahead
    assert not locks.take(path)
    now[0] += STALE - 5
    assert not locks.take(path)
    now[0] += 10
    assert locks.take(path)
    locks.release()


def test_who_waits_learns_for_whom(tmp_path):
    holder, path = Locks(), tmp_path / "key"
    assert holder.holder(path) == ""
    assert holder.take(path)
    assert holder.holder(path) == f"process {os.getpid()} of this machine"
    holder.release()
    path.write_text(json.dumps({"host": "elsewhere", "pid": 12, "born": 0.0}))
    assert holder.holder(path) == "process 12 of elsewhere"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_a_file_system_without_hard_links_locks_as_well(number, tmp_path, monkeypatch):
    def refuse(*paths):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    first, second, path = Locks(), Locks(), tmp_path / "key"
    assert first.take(path)
    assert not second.take(path)
    assert second.holder(path) == f"process {os.getpid()} of this machine"
    first.drop(path)
    assert second.take(path)
    for locks in (first, second):
        locks.release()
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_is_set_makes_no_owner_look_dead(tmp_path, monkeypatch):
    holder, other = Locks(), Locks()
    assert holder.take(tmp_path / "key")
    real = psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: real + 3600)
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: real + 3600)
    assert not other.take(tmp_path / "key")
    for locks in (holder, other):
        locks.release()


def test_claims_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path):
    _, [holder] = race(tmp_path, 1)
    locks = Locks()
    holder.kill()
    holder.communicate()
    (tmp_path / "0").unlink()
    assert locks.take(tmp_path / "0")
    locks.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    locks.release()

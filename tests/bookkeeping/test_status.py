"""What a run says of itself, while it goes on."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import asdict

import pytest
from helpers.forked import quick
from helpers.processes import wait_for
from rich.console import Console

from benchmark.bookkeeping.status import Reporter, Status
from benchmark.cli.progress import view
from benchmark.files import host_name
from benchmark.scheduler.walk import Event
from benchmark.store.artefacts import Store, content_key
from benchmark.store.job import Job
from benchmark.store.locks import Owner, born


def job(kind, number):
    return Job(content_key({"kind": kind, "number": number}), kind, f"{kind} {number}", {})


def running():
    future = Future()
    future.set_running_or_notify_cancel()
    return future


def test_a_status_counts_what_ended_what_runs_and_what_is_left(tmp_path):
    store, told = Store(tmp_path), []
    jobs = [job("pretrain", 0), job("pretrain", 1), job("probe", 0), job("probe", 1)]
    with Reporter(store.root, store, jobs, lambda job: 10.0, 2, told.append) as reporter:
        reporter.note(Event("skipped", job("catalog", 0)))
        for each in jobs[:2]:
            reporter.note(Event("submitted", each, future=running()))
        reporter.note(Event("submitted", jobs[2], future=Future()))  # behind the others in the queue
        reporter.note(Event("finished", jobs[0]))
        scratch = store.scratch("pretrain", jobs[1].key)
        (scratch / "progress.json").write_text(json.dumps({"step": 30, "steps": 120, "loss": 4.25}))
        status = reporter.status()
        assert status.kinds == {"pretrain": [1, 1, 0], "probe": [0, 0, 2]}
        assert [each["name"] for each in status.running] == ["pretrain 1"]
        assert (status.running[0]["step"], status.running[0]["loss"]) == (30, 4.25)
        assert 10 < status.seconds_left <= 15, "10 s of one that runs and 20 s that wait, on two slots"
        (seen,) = Status.read(tmp_path)
        assert seen.driver == status.driver
    assert told
    assert Status.read(tmp_path) == [], "nothing is left after the run"
    assert not list(tmp_path.glob("status*"))


def test_a_retried_job_is_left_again_and_a_failed_one_counts(tmp_path):
    store, one = Store(tmp_path), job("embed", 0)
    reporter = Reporter(store.root, store, [one], lambda job: 1.0, 1, lambda status: None)
    reporter.note(Event("submitted", one, future=running()))
    reporter.note(Event("retried", one, "died"))
    assert reporter.status().kinds == {"embed": [0, 0, 1]}
    reporter.note(Event("submitted", one, future=running()))
    reporter.note(Event("failed", one, "no"))
    assert (reporter.status().kinds, reporter.status().failed) == ({"embed": [1, 0, 0]}, 1)


def say(folder, host, pid, began, **told):
    status = Status(Owner(host, pid, began), {"probe": [1, 1, 0]}, **told)
    (folder / f"status.{host}.{pid}.json").write_text(json.dumps(asdict(status)))


def test_the_file_of_a_driver_that_was_killed_says_nothing(tmp_path):
    say(tmp_path, host_name(), 2**22 - 1, 1.0)
    assert Status.read(tmp_path) == []
    Status.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


OTHERS = '{"driver": {"host": "a", "pid": 7, "born": 1}, "kinds": {"probe": [1, 1, %s]}, "running": [%s]}'


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        "[]",
        "{",
        '{"driver": {"host": "a", "pid": -1, "born": 1}, "kinds": {}}',
        OTHERS % ("1, 1", ""),
        OTHERS % (1, "{}"),
        OTHERS % (1, '{"name": "probe", "seconds": "long"}'),
        OTHERS % (1, '{"name": "probe", "seconds": 1, "step": 3}'),
    ],
)
def test_a_file_that_says_nothing_is_passed_over(rubbish, tmp_path):
    (tmp_path / "status.here.1.json").write_text(rubbish)
    assert Status.read(tmp_path) == []
    (tmp_path / "status.here.1.json").write_text(OTHERS % (1, '{"name": "probe", "seconds": 1}'))
    assert len(Status.read(tmp_path)) == 1


def test_every_driver_is_shown_and_a_stopped_one_as_such(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        say(
            tmp_path,
            host_name(),
            os.getpid(),
            born(os.getpid()),
            waiting="probe byol, for 9 s so far",
            seconds_left=None,
        )
        say(tmp_path, host_name(), other.pid, born(other.pid))
        say(tmp_path, "elsewhere", 7, 1.0)
        other.send_signal(signal.SIGSTOP)
        assert wait_for(lambda: "stopped" in quick("status", str(tmp_path)).stdout)
        shown = " ".join(quick("status", str(tmp_path)).stdout.split())
        other.kill()
    assert f"process {os.getpid()} of this machine:" in shown
    assert f"process {other.pid} of this machine, which is stopped ('kill -CONT {other.pid}' lets it go on)" in shown
    assert "process 7 of elsewhere:" in shown
    assert "waiting: probe byol, for 9 s so far" in shown


def test_a_person_sees_names_as_they_are(capsys):
    odd = {"name": "pretrain [red]x[/red]", "seconds": 5, "step": 3, "steps": 9, "loss": 1.5, "effective_rank": 12.0}
    status = Status(Owner("here", 1, 1.0), {"pretrain": [1, 1, 0]}, 1, [odd], 600.0, [93])
    console = Console(width=100, record=True)
    console.print(view(status))
    text = console.export_text()
    assert "pretrain [red]x[/red]" in text
    assert "3/9" in text
    assert "1.500" in text
    assert "12.00" in text
    assert "about 10 min left; GPU 93 %; 1 failed" in text

"""What a run says of itself, while it goes on."""

import json
from concurrent.futures import Future
from dataclasses import asdict

from rich.console import Console

from benchmark.bookkeeping.status import FILE, Reporter, Status
from benchmark.cli.progress import view
from benchmark.files import host_name
from benchmark.scheduler.walk import Event
from benchmark.store.artefacts import Store, content_key
from benchmark.store.job import Job


def job(kind, number):
    return Job(content_key({"kind": kind, "number": number}), kind, f"{kind} {number}", {})


def running():
    future = Future()
    future.set_running_or_notify_cancel()
    return future


def test_a_status_counts_what_ended_what_runs_and_what_is_left(tmp_path):
    store, told = Store(tmp_path), []
    jobs = [job("pretrain", 0), job("pretrain", 1), job("probe", 0), job("probe", 1)]
    with Reporter(store, jobs, lambda job: 10.0, 2, told.append) as reporter:
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
        seen = Status.read(tmp_path)
        assert seen is not None
        assert seen.driver == status.driver
    assert told
    assert Status.read(tmp_path) is None, "nothing is left after the run"


def test_a_retried_job_is_left_again_and_a_failed_one_counts(tmp_path):
    store, one = Store(tmp_path), job("embed", 0)
    reporter = Reporter(store, [one], lambda job: 1.0, 1, lambda status: None)
    reporter.note(Event("submitted", one, future=running()))
    reporter.note(Event("retried", one, "died"))
    assert reporter.status().kinds == {"embed": [0, 0, 1]}
    reporter.note(Event("submitted", one, future=running()))
    reporter.note(Event("failed", one, "no"))
    assert (reporter.status().kinds, reporter.status().failed) == ({"embed": [1, 0, 0]}, 1)


def test_the_file_of_a_driver_that_was_killed_says_nothing(tmp_path):
    dead = Status({"host": host_name(), "pid": 2**22 - 1, "born": 1.0}, {})
    (tmp_path / FILE).write_text(json.dumps(asdict(dead)))
    assert Status.read(tmp_path) is None


def test_a_person_sees_names_as_they_are(capsys):
    odd = {"name": "pretrain [red]x[/red]", "seconds": 5, "step": 3, "steps": 9, "loss": 1.5, "effective_rank": 12.0}
    status = Status({}, {"pretrain": [1, 1, 0]}, 1, [odd], 600.0, [93])
    console = Console(width=100, record=True)
    console.print(view(status))
    text = console.export_text()
    assert "pretrain [red]x[/red]" in text
    assert "3/9" in text
    assert "1.500" in text
    assert "12.00" in text
    assert "about 10 min left; GPU 93 %; 1 failed" in text

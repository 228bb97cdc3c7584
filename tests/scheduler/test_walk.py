"""The walk: order, failures, retries and repairs, on toy jobs in real workers."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import replace

import pytest
from helpers.processes import is_gone, wait_for
from scheduler_jobs import carry, make_job, noop, run_job

from benchmark.scheduler.executors.inline import InlineExecutor
from benchmark.scheduler.executors.local import LocalExecutor
from benchmark.scheduler.executors.slots import Slot
from benchmark.scheduler.walk import missing, walk
from benchmark.store.artefacts import CorruptArtefact, Store
from benchmark.store.job import Job


class Pipeline:
    """A toy grid in a store: data, two encoders on it, two probes on each, one table of all."""

    def __init__(self, root, **specs):
        self.root, self.store = root, Store(root)
        self.jobs = {}
        self.add("data", **specs.get("data", {}))
        for encoder in "ab":
            self.add(encoder, "data", **specs.get(encoder, {}))
            for probe in "12":
                self.add(encoder + probe, encoder, **specs.get(encoder + probe, {}))
        self.add("table", "a1", "a2", "b1", "b2")

    def add(self, name, *needs, **spec):
        self.jobs[name] = make_job("toy", name, self.root, [self.jobs[need] for need in needs], **spec)

    def walk(self, executor, run=run_job, **options):
        self.events = []
        return walk(
            {job.key: job for job in self.jobs.values()},
            done=lambda job: self.store.is_done("toy", job.key),
            run=run,
            executor=executor,
            on_event=self.events.append,
            **options,
        )

    def ran(self):
        path = self.root / "ran.txt"
        names = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return Counter(names)

    def text(self, name):
        return (self.store.open("toy", self.jobs[name].key) / "text.txt").read_text()

    def discard(self, *names):
        for name in names:
            self.store.discard("toy", self.jobs[name].key)


@pytest.fixture(scope="module")
def executor(tmp_path_factory):
    executor = LocalExecutor([Slot("cpu")] * 2, threads=1, log_dir=tmp_path_factory.mktemp("logs"))
    yield executor
    executor.shutdown()


def names(jobs):
    return [job.name for job in jobs]


ALL = ["data", "a", "a1", "a2", "b", "b1", "b2", "table"]
TABLE = "table(a1(a(data())),a2(a(data())),b1(b(data())),b2(b(data())))"


def test_all_is_run_once_in_order(tmp_path, executor):
    pipeline = Pipeline(tmp_path)
    report = pipeline.walk(executor)
    assert names(report.done) == ALL
    assert (report.skipped, report.failed, report.blocked) == ([], [], [])
    assert pipeline.ran() == Counter(ALL)
    assert pipeline.text("table") == TABLE
    assert Counter(event.what for event in pipeline.events) == {"submitted": 8, "finished": 8}


# -- a run is what is missing


def test_a_second_run_does_nothing(tmp_path, executor):
    pipeline = Pipeline(tmp_path)
    pipeline.walk(executor)
    pipeline.ran()
    report = pipeline.walk(executor)
    assert names(report.skipped) == ALL
    assert report.done == []
    assert pipeline.ran() == Counter()


def test_deleted_inputs_do_not_matter_while_what_they_led_to_is_there(tmp_path, executor):
    pipeline = Pipeline(tmp_path)
    pipeline.walk(executor)
    pipeline.ran()
    pipeline.discard("data", "a", "a1", "b")
    assert names(pipeline.walk(executor).skipped) == ALL
    assert pipeline.ran() == Counter()


def test_only_what_a_missing_job_needs_is_remade(tmp_path, executor):
    pipeline = Pipeline(tmp_path)
    pipeline.walk(executor)
    pipeline.ran()
    pipeline.discard("data", "a", "b2", "table")
    report = pipeline.walk(executor)
    # b is there, so that b2 needs neither data nor a
    assert names(report.done) == ["b2", "table"]
    assert pipeline.ran() == Counter(["b2", "table"])
    assert pipeline.text("table") == TABLE


def test_a_grid_that_grows_runs_only_the_new_part(tmp_path, executor):
    pipeline = Pipeline(tmp_path)
    pipeline.walk(executor)
    pipeline.ran()
    pipeline.add("c", "data")
    pipeline.add("c1", "c")
    pipeline.walk(executor)
    assert pipeline.ran() == Counter(["c", "c1"])


def test_targets_limit_the_walk(tmp_path, executor):
    pipeline = Pipeline(tmp_path)
    report = pipeline.walk(executor, targets=[pipeline.jobs["a1"].key])
    assert names(report.done) == ["data", "a", "a1"]
    assert names(report.skipped) == ["a2", "b", "b1", "b2", "table"]


def test_missing_walks_back_from_the_sinks():
    jobs = {key: Job(key, "toy", key, {}, tuple(needs)) for key, needs in {"a": "", "b": "a", "c": "b"}.items()}
    for there, expected in {"": "abc", "a": "bc", "b": "c", "c": "", "ac": ""}.items():
        assert missing(jobs, lambda job, there=there: job.key in there) == set(expected)


def test_a_need_that_is_not_planned_is_named():
    with pytest.raises(ValueError, match="probe needs x, which is not among the jobs"):
        missing({"a": Job("a", "toy", "probe", {}, ("x",))}, lambda job: False)


# -- failures


def test_an_exception_is_not_retried_and_blocks_descendants_alone(tmp_path, executor):
    pipeline = Pipeline(tmp_path, a={"raises": "always"})
    report = pipeline.walk(executor)
    assert names(report.done) == ["data", "b", "b1", "b2"]
    assert names(report.blocked) == ["a1", "a2", "table"]
    (failure,) = report.failed
    assert failure.job.name == "a"
    assert failure.error == "ValueError: a does not converge"
    assert "misbehave" in failure.log
    assert f"{failure.job.key}.log" in failure.log
    assert pipeline.ran() == Counter(["data", "a", "b", "b1", "b2"])
    assert pipeline.walk(executor).failed[0].job.name == "a", "a later run tries again"


def chain(*links):
    """Jobs by name, each needing the one before."""
    jobs, before = {}, ()
    for kind, name in links:
        jobs[name] = Job(name, kind, name, {}, before)
        before = (name,)
    return jobs


def test_a_damaged_artefact_is_remade_from_what_was_let_go_meanwhile():
    """Shards pass: they are gone once their waveforms stand, and made anew if those are damaged."""
    jobs = chain(("shard", "shard"), ("waveforms", "joined"), ("pretrain", "reader"))
    there, ran = set(), []

    def run(job):
        ran.append(job.name)
        if not there.issuperset(job.needs):
            raise AssertionError(f"{job.name} ran without {job.needs}")
        if job.name == "reader" and ran.count("joined") == 1:
            there.discard("joined")
            raise CorruptArtefact("waveforms", "joined", ["damaged"])
        there.add(job.key)

    def let_go(event):
        if event.what == "finished" and event.job.name == "joined":
            there.discard("shard")

    report = walk(jobs, lambda job: job.key in there, run, InlineExecutor(), let_go)
    assert not report.failed
    assert ran == ["shard", "joined", "reader", "shard", "joined", "reader"]


def test_what_lets_go_of_an_artefact_in_passing_goes_before_the_next_is_made():
    """On one slot no two embeddings ever stand side by side."""
    jobs = {}
    for name in "abc":
        jobs |= chain(("pretrain", name), ("embed", f"{name} rows"), ("probe", f"{name} score"))
    ran = []
    walk(jobs, lambda job: False, lambda job: ran.append(job.name), InlineExecutor(), lambda event: None)
    standing = [ran.index(f"{name} score") - ran.index(f"{name} rows") for name in "abc"]
    assert standing == [1, 1, 1]


def test_a_job_whose_worker_is_killed_once_is_retried(tmp_path, executor):
    pipeline = Pipeline(tmp_path, a={"dies": "once"}, b2={"dies": "once"})
    report = pipeline.walk(executor)
    assert names(report.done) == ALL
    assert pipeline.ran() == Counter([*ALL, "a", "b2"])
    retried = [event for event in pipeline.events if event.what == "retried"]
    assert sorted(names(event.job for event in retried)) == ["a", "b2"]
    assert all("signal 9" in event.error for event in retried)


def test_a_job_that_always_kills_its_worker_fails_and_the_others_finish(tmp_path, executor):
    pipeline = Pipeline(tmp_path, a={"dies": "always"})
    report = pipeline.walk(executor, retries=2)
    assert names(report.done) == ["data", "b", "b1", "b2"]
    assert names(report.blocked) == ["a1", "a2", "table"]
    assert report.failed[0].error.startswith("WorkerDied: ")
    assert "about to die" in report.failed[0].log
    assert pipeline.ran()["a"] == 3


# -- damage


def damage(pipeline, name):
    path = pipeline.store.folder("toy", pipeline.jobs[name].key) / "text.txt"
    path.write_text("?" * len(path.read_text()))


def test_a_damaged_input_is_remade_and_its_reader_run_again(tmp_path, executor):
    pipeline = Pipeline(tmp_path)
    pipeline.walk(executor)
    pipeline.ran()
    damage(pipeline, "b")
    pipeline.discard("b1", "b2", "table", "data")
    report = pipeline.walk(executor)
    assert names(report.done) == ["data", "b", "b1", "b2", "table"]
    assert (report.failed, report.blocked) == ([], [])
    # both readers found it out, or one of them and then both ran
    assert pipeline.ran() == Counter(["data", "b", "b1", "b1", "b2", "b2", "table"])
    assert pipeline.text("table") == TABLE


def test_what_does_not_read_the_damaged_input_finishes_first(tmp_path, executor):
    pipeline = Pipeline(tmp_path)
    pipeline.walk(executor)
    damage(pipeline, "b")
    pipeline.discard("a1", "b1", "table")
    report = pipeline.walk(executor)
    assert names(report.done) == ["a1", "b", "b1", "table"]
    assert [event.job.name for event in pipeline.events if event.what == "finished"] == [
        "a1",
        "b",
        "b1",
        "table",
    ]


def test_repairs_and_retries_are_counted(tmp_path, executor):
    pipeline = Pipeline(tmp_path, b={"dies": "once"})
    pipeline.walk(executor)
    (tmp_path / "b ran").unlink()  # it will die once more
    damage(pipeline, "b")
    pipeline.discard("b1", "table")
    report = pipeline.walk(executor, retries=1)
    assert names(report.done) == ["b", "b1", "table"]
    (tmp_path / "b ran").unlink()
    damage(pipeline, "b")
    pipeline.discard("b1", "table")
    report = pipeline.walk(executor, retries=0)
    assert names(failure.job for failure in report.failed) == ["b1"]
    assert report.failed[0].error.startswith("CorruptArtefact: toy ")
    assert names(report.blocked) == ["table"]


def test_an_input_that_cannot_be_remade_has_failed_though_it_was_done(tmp_path, executor):
    pipeline = Pipeline(tmp_path, b={"raises": "again"}, b1={"spoils": True})
    report = pipeline.walk(executor)
    assert names(failure.job for failure in report.failed) == ["b"]
    assert not {"b", "b1", "table"} & set(names(report.done))
    assert {"b1", "table"} <= set(names(report.blocked))


# -- order, overhead, interruption


class Recorder:
    """Runs each job when it is submitted; notes the order."""

    capacity = 1

    def __init__(self):
        self.order, self.open, self.most = [], 0, 0

    def submit(self, fn, job):
        future = Future()
        self.order.append(job.name)
        future.set_result(None)
        return future

    def shutdown(self):
        self.order.append("shutdown")


def test_the_longest_chain_goes_first():
    needs = {"x": "", "y": "", "long1": "", "z": "", "long2": ["long1"], "long3": ["long2"], "mid": ["z"]}
    jobs = {key: Job(key, "toy", key, {}, tuple(needs[key])) for key in needs}
    recorder = Recorder()
    walk(jobs, lambda job: False, noop, recorder, lambda event: None)
    assert recorder.order[:2] == ["long1", "z"]
    assert set(recorder.order) == set(needs)


def test_no_more_is_submitted_than_keeps_the_slots_busy(tmp_path):
    class Counting(Recorder):
        def submit(self, fn, job):
            future = super().submit(fn, job)
            self.most = max(self.most, len(self.order) - len(finished))
            return future

    finished, counting = [], Counting()
    jobs = {str(n): Job(str(n), "toy", str(n), {}) for n in range(20)}
    walk(jobs, lambda job: False, noop, counting, lambda event: event.what == "finished" and finished.append(1))
    assert len(finished) == 20
    assert counting.most <= 2


def test_a_slot_that_joins_gets_work_while_the_others_are_busy(monkeypatch):
    class Growing(Recorder):
        def submit(self, fn, job):
            self.order.append(job.name)
            self.futures.append(Future())
            if len(self.order) == 2:
                threading.Timer(0.05, lambda: setattr(self, "capacity", 2)).start()
            if len(self.order) == 3:  # all end together, and none before the third has begun
                for future in self.futures:
                    future.set_result(None)
            return self.futures[-1]

    monkeypatch.setattr("benchmark.scheduler.walk._GROWTH", 0.02)
    growing = Growing()
    growing.futures = []
    late = threading.Timer(20, lambda: [future.set_exception(TimeoutError()) for future in growing.futures])
    late.start()
    jobs = {str(n): Job(str(n), "toy", str(n), {}) for n in range(3)}
    report = walk(jobs, lambda job: False, noop, growing, lambda event: None)
    late.cancel()
    assert len(report.done) == 3


def test_an_error_of_the_driver_stops_the_workers():
    def on_event(event):
        raise KeyboardInterrupt

    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt):
        walk({"a": Job("a", "toy", "a", {})}, lambda job: False, noop, recorder, on_event)
    assert recorder.order[-1] == "shutdown"


def test_ctrl_c_ends_a_walk_and_leaves_no_process(tmp_path):
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; import signal; from pathlib import Path; import scheduler_jobs; "
        # a shell that puts the tests in the background has SIGINT ignored, and children inherit that
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"scheduler_jobs.walk_sleepers(Path({str(tmp_path)!r}))"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        files = [tmp_path / "0.pid", tmp_path / "1.pid"]
        assert wait_for(lambda: all(path.exists() for path in files))
        os.kill(driver.pid, signal.SIGINT)
        _, errors = driver.communicate(timeout=60)
    finally:
        driver.kill()
    assert "KeyboardInterrupt" in errors
    assert all(is_gone(int(path.read_text())) for path in files)


def test_overhead(executor, capsys):
    jobs = {f"{n:064x}": Job(f"{n:064x}", "toy", f"noop {n}", {}) for n in range(1000)}
    executor.submit(noop, None).result()
    began = time.perf_counter()
    report = walk(jobs, lambda job: False, noop, executor, lambda event: None)
    seconds = time.perf_counter() - began
    assert len(report.done) == 1000
    with capsys.disabled():
        print(f"\n1,000 no-op jobs on two workers: {seconds:.2f} s")


def test_a_chain_of_a_thousand_is_no_problem():
    jobs = {str(n): Job(str(n), "toy", str(n), {}, (str(n - 1),) if n else ()) for n in range(1000)}
    recorder = Recorder()
    walk(jobs, lambda job: False, noop, recorder, lambda event: None)
    assert recorder.order == [str(n) for n in range(1000)]


class Ledger:
    """Locks that say who holds what."""

    def __init__(self, taken=()):
        self.held, self.taken = set(), set(taken)

    def take(self, job):
        if job.name in self.taken:
            return False
        self.held.add(job.name)
        return True

    def drop(self, job):
        self.held.discard(job.name)

    def holder(self, job):
        return "process 7 of elsewhere"


def test_no_lock_outlives_its_job_however_that_ends(tmp_path, executor):
    pipeline, ledger = Pipeline(tmp_path, a={"dies": "always"}, b1={"raises": "always"}), Ledger()
    report = pipeline.walk(executor, locks=ledger)
    assert {failure.job.name for failure in report.failed} == {"a", "b1"}
    assert ledger.held == set()


def test_what_another_driver_makes_is_waited_for_and_not_made_again(tmp_path, executor):
    pipeline, ledger = Pipeline(tmp_path), Ledger(taken={"a"})

    def elsewhere():
        time.sleep(2)
        run_job(pipeline.jobs["a"])
        ledger.taken.clear()

    other = threading.Thread(target=elsewhere)
    other.start()
    report = pipeline.walk(executor, locks=ledger)
    other.join()
    assert pipeline.ran() == Counter(list(pipeline.jobs))
    assert "a" in {job.name for job in report.skipped}
    assert pipeline.text("table") == "table(a1(a(data())),a2(a(data())),b1(b(data())),b2(b(data())))"


def test_who_waits_for_another_driver_says_for_whom_and_how_long(tmp_path, executor, monkeypatch):
    monkeypatch.setattr("benchmark.scheduler.walk._PATIENCE", 0.4)
    pipeline, ledger = Pipeline(tmp_path), Ledger(taken={"data"})
    threading.Timer(2.5, ledger.taken.clear).start()
    report = pipeline.walk(executor, locks=ledger)
    assert report.failed == []
    told = [event for event in pipeline.events if event.what == "waiting"]
    assert {event.job.name for event in told} == {"data"}
    assert 1 <= len(told) <= 3, "after twice as long each time"
    for event in told:
        assert re.fullmatch(r"for \d s so far, since it is claimed by process 7 of elsewhere", event.error)


# -- some jobs leave what others make


@pytest.fixture
def pair(tmp_path):
    """Two jobs that need the same; the first carries the second, on which a third waits."""
    line = Pipeline(tmp_path)
    line.jobs = {}
    line.add("data")
    line.add("first", "data")
    line.add("second", "data")
    line.add("end", "second")
    first, second = line.jobs["first"], line.jobs["second"]
    line.jobs |= {"first": replace(first, carries=(second,)), "second": replace(second, rides=(first.key,))}
    return line


def test_who_is_carried_waits_and_does_not_run(pair, executor):
    report = pair.walk(executor, run=carry)
    assert pair.ran() == Counter(["data", "first", "end"])
    assert names(report.skipped) == ["second"]
    assert pair.text("end") == "end(carried)"


def test_a_carrier_that_fails_or_is_not_to_run_is_not_waited_for(pair, executor):
    first = pair.jobs["first"]
    pair.jobs["first"] = replace(first, spec=first.spec | {"raises": "always"})
    report = pair.walk(executor, run=carry)
    assert names(failure.job for failure in report.failed) == ["first"]
    assert pair.ran() == Counter(["data", "first", "second", "end"])
    pair.discard("second", "end")
    del pair.jobs["first"]  # as with --only
    assert not pair.walk(executor, run=carry).failed
    assert pair.ran() == Counter(["second", "end"])


def test_a_carrier_that_finds_its_input_damaged_holds_nobody_up(pair, executor):
    pair.walk(executor, run=carry)
    pair.ran()
    # as long as it was: only who opens it finds out
    (pair.store.folder("toy", pair.jobs["data"].key) / "text.txt").write_text("DATA()")
    pair.discard("first", "second", "end")
    report = pair.walk(executor, run=carry)
    assert not report.failed
    assert not report.blocked
    assert pair.ran()["data"] == 1, "remade"
    assert pair.text("first") == "first(data())"
    assert pair.text("end") in ("end(carried)", "end(second(data()))")


def test_of_several_the_first_that_is_to_run_carries_those_after_it(pair, executor):
    pair.add("third", "data")
    first, second, third = (pair.jobs[name] for name in ("first", "second", "third"))
    pair.jobs["first"] = replace(first, carries=(second, third))
    pair.jobs["second"] = replace(second, carries=(third,))
    pair.jobs["third"] = replace(third, rides=(first.key, second.key))
    pair.walk(executor, run=carry)
    assert pair.ran() == Counter(["data", "first", "end"])
    pair.discard("second", "third", "end")
    assert names(pair.walk(executor, run=carry).skipped) == ["data", "first", "third"]
    assert pair.ran() == Counter(["second", "end"])
    pair.discard("third")
    pair.walk(executor, run=carry)
    assert pair.ran() == Counter(["third"])


def test_nothing_is_carried_that_is_not_to_be_made(pair, executor):
    del pair.jobs["end"], pair.jobs["second"]  # as with --only
    pair.walk(executor, run=carry)
    assert pair.ran() == Counter(["data", "first"])
    assert not list(pair.root.glob("toy/*/*/text.txt"))[2:], "data and first alone"

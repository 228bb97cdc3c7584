"""The Ray executor on real clusters: what the local one promises, and nodes that are lost."""

import os
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
import ray_jobs
import scheduler_jobs
from helpers.processes import is_gone, wait_for
from overhead import diamond, overhead
from ray_jobs import MARK, marked
from scheduler_jobs import make_job, run_job

from benchmark.interfaces import Resources, UserError, WorkerDied
from benchmark.scheduler.executors.local import LocalExecutor
from benchmark.scheduler.executors.ray import RayExecutor
from benchmark.scheduler.executors.ray_cluster import Share
from benchmark.scheduler.executors.slots import Slot
from benchmark.scheduler.walk import walk
from benchmark.store.artefacts import Store

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def executor(tmp_path_factory):
    """Two of the three slots of a cluster; no process of which is left afterwards."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, "shared")
        cluster = Cluster(
            True, head_node_args={"num_cpus": 3, "include_dashboard": False, "object_store_memory": 10**8}
        )
        patch.setenv("RAY_ADDRESS", cluster.address)
        executor = RayExecutor.open(Resources(workers=2), tmp_path_factory.mktemp("logs"))
        assert marked("shared")
        yield executor
        executor.shutdown()
        cluster.shutdown()
        assert wait_for(lambda: not marked("shared"))


class Toy:
    """A toy grid in a store: two columns of jobs on one, and one on all."""

    def __init__(self, root, run=run_job, **specs):
        self.store, self.run, self.events, self.jobs = Store(root), run, [], {}
        self.store.prepare()
        self.add(root, "data", [], specs)
        for name in ("a", "b"):
            self.add(root, name, ["data"], specs)
            self.add(root, name * 2, [name], specs)
        self.add(root, "table", ["aa", "bb"], specs)

    def add(self, root, name, needs, specs):
        self.jobs[name] = make_job("toy", name, root, [self.jobs[n] for n in needs], **specs.get(name, {}))

    def walk(self, executor):
        jobs = {job.key: job for job in self.jobs.values()}
        return walk(
            jobs, lambda job: self.store.is_done("toy", job.key), self.run, executor, self.events.append, retries=2
        )

    def texts(self):
        keys = {name: job.key for name, job in self.jobs.items() if self.store.is_done("toy", job.key)}
        return {name: (self.store.open("toy", key) / "text.txt").read_text() for name, key in keys.items()}

    def told(self):
        return Counter((event.what, event.job.name) for event in self.events)


def test_the_walk_makes_the_same_of_a_grid_on_ray_and_here(tmp_path, executor):
    failing = {"a": {"raises": "always"}, "b": {"dies": "once"}}
    toys = [Toy(tmp_path / name, **failing) for name in ("local", "ray")]
    local = LocalExecutor([Slot("cpu")] * 2, threads=1, log_dir=tmp_path / "logs")
    reports = [toy.walk(where) for toy, where in zip(toys, (local, executor), strict=True)]
    local.shutdown()
    assert toys[0].texts() == toys[1].texts() == {"data": "data()", "b": "b(data())", "bb": "bb(b(data()))"}
    assert toys[0].told() == toys[1].told()
    assert toys[1].told()["retried", "b"] == 1
    assert [[failure.error for failure in report.failed] for report in reports] == [
        ["ValueError: a does not converge"]
    ] * 2


def test_an_exception_arrives_as_itself_with_traceback_and_log(tmp_path, executor):
    job = make_job("toy", "bad", tmp_path, raises="always")
    error = executor.submit(run_job, job).exception()
    assert type(error) is ValueError
    traceback, log = error.__notes__
    assert "misbehave(job.spec, root)" in traceback
    assert "does\nnot converge" in Path(log.removeprefix("log: ")).read_text()
    assert Path(log.removeprefix("log: ")).name == f"{job.key}.log"
    assert type(executor.submit(ray_jobs.refuse).exception()) is UserError
    assert isinstance(executor.submit(scheduler_jobs.leave, 3).exception(), SystemExit)
    assert "pickle" in str(executor.submit(scheduler_jobs.a_lock).exception())


def test_a_killed_worker_brings_the_end_of_its_log_and_costs_its_own_job_only(executor):
    jobs = [executor.submit(scheduler_jobs.add, number, 0) for number in range(10)]
    victim = executor.submit(scheduler_jobs.shout_and_die, "victim")
    jobs += [executor.submit(scheduler_jobs.add, number, 0) for number in range(10, 20)]
    assert [job.result() for job in jobs] == list(range(20))
    assert isinstance(victim.exception(), WorkerDied)
    assert "signal 9, Killed" in str(victim.exception())
    assert victim.exception().__notes__[0].startswith("last words\nlog: ")


def test_a_slot_that_is_lost_is_a_worker_that_died_and_is_replaced(executor):
    job = executor.submit(ray_jobs.kill_slot)
    assert isinstance(job.exception(), WorkerDied)
    assert executor.submit(scheduler_jobs.add, 1, 2).result() == 3


def test_workers_persist_and_have_the_environment_of_local_ones(executor):
    assert executor.capacity == 2
    assert len({executor.submit(scheduler_jobs.pid).result() for _ in range(20)}) <= 2
    seen = [job.result() for job in [executor.submit(ray_jobs.where) for _ in range(2)]]
    assert seen == [("", "cpu", Path.cwd())] * 2
    assert executor.submit(scheduler_jobs.environment, "OMP_NUM_THREADS").result() == {"OMP_NUM_THREADS": "1"}
    assert set(executor.submit(scheduler_jobs.numpy_threads).result()) == {1}


def test_the_overhead_can_be_had(executor):
    assert len(diamond(1000)) == 1000
    print(f"{overhead(executor, 100):.2f} ms per job")


def test_a_node_that_does_not_share_the_folders_is_named(executor):
    here_alone = Path(f"/proc/self/task/{threading.get_native_id()}")
    blind = RayExecutor.open(Resources(workers=1), here_alone)
    try:
        error = blind.submit(scheduler_jobs.add, 1, 2).exception(timeout=60)
    finally:
        blind.shutdown()
    assert type(error) is UserError
    assert re.search(rf"node \S+ does not see {here_alone}: all nodes must share it", str(error))
    assert executor.submit(scheduler_jobs.add, 1, 2).result() == 3


def test_a_job_that_takes_too_long_is_stopped_and_its_slot_goes_on(executor):
    hasty = RayExecutor.open(Resources(workers=1, time_limit=5.0))
    try:
        assert isinstance(hasty.submit(scheduler_jobs.pid, 60.0).exception(timeout=60), TimeoutError)
        assert hasty.submit(scheduler_jobs.add, 1, 2).result(timeout=60) == 3
    finally:
        hasty.shutdown()


def test_shutdown_stops_what_runs_with_its_children_and_cancels_what_waits(executor, tmp_path):
    other = RayExecutor.open(Resources(workers=1))
    running = other.submit(scheduler_jobs.with_child, tmp_path / "pids")
    waiting = other.submit(scheduler_jobs.add, 1, 2)
    assert wait_for(lambda: (tmp_path / "pids").exists() and " " in (tmp_path / "pids").read_text())
    other.shutdown()
    assert isinstance(running.exception(timeout=1), WorkerDied)
    assert waiting.cancelled()
    assert all(wait_for(lambda pid=pid: is_gone(int(pid))) for pid in (tmp_path / "pids").read_text().split())
    with pytest.raises(RuntimeError, match="shut down"):
        other.submit(scheduler_jobs.add, 1, 2)


def test_an_address_where_nobody_listens_is_refused_at_once(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    done = subprocess.run(
        [sys.executable, "-c", "from ray_jobs import *; RayExecutor(Resources())"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "UserError: no Ray cluster answers at RAY_ADDRESS=127.0.0.1:1" in done.stderr


@pytest.mark.parametrize(
    ("resources", "nodes", "kind", "slots"),
    [
        (Resources(), [{"CPU": 4.0}, {"CPU": 2.0}], "CPU", 6),
        (Resources(threads=3), [{"CPU": 4.0}, {"CPU": 7.0}, {}], "CPU", 3),
        (Resources(devices=2, threads=2), [{"CPU": 4.0}, {"CPU": 7.0}], "CPU", 2),
        (Resources(threads=64), [{"CPU": 4.0}, {"CPU": 4.0, "GPU": 8.0}], "GPU", 8),
        (Resources(devices=4), [{"GPU": 8.0}, {"GPU": 3.0}, {"GPU": 4.0}], "GPU", 3),
        (Resources(jobs_per_gpu=3), [{"GPU": 8.0}, {"GPU": 1.0}], "GPU", 27),
        (Resources(devices=2, jobs_per_gpu=3), [{"GPU": 8.0}], "GPU", 4),
    ],
)
def test_slots_never_straddle_nodes(resources, nodes, kind, slots):
    share = Share.of(resources, nodes)
    assert (share.kind, share.fits(nodes)) == (kind, slots)


def test_what_no_node_has_is_refused():
    with pytest.raises(UserError, match=r"pretrain\.devices: a job needs 8 GPUs, but no node .* over 4"):
        Share.of(Resources(devices=8), [{"GPU": 4.0}, {"GPU": 4.0}])
    with pytest.raises(
        UserError, match=r"--threads times pretrain\.devices: a job needs 6 CPUs, but no node .* over 4"
    ):
        Share.of(Resources(devices=2, threads=3), [{"CPU": 4.0}])

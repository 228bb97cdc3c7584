"""Ray clusters that lose a node, and drivers that are killed: nothing is left behind, in the store or of processes."""

import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import ray_jobs
from helpers.processes import is_gone, wait_for
from ray_jobs import MARK, marked
from scheduler_jobs import make_job

from benchmark.interfaces import Resources
from benchmark.scheduler.executors.ray import RayExecutor
from benchmark.scheduler.walk import walk
from benchmark.store.artefacts import Store

pytest.importorskip("ray")
pytestmark = pytest.mark.long


@pytest.fixture
def cluster(monkeypatch):
    """Three nodes on this machine, each with two GPUs that nobody looks for."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv(MARK, "cluster")
    monkeypatch.setenv("RAY_health_check_initial_delay_ms", "1000")
    monkeypatch.setenv("RAY_health_check_period_ms", "1000")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "3")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    size = {"num_cpus": 1, "num_gpus": 2, "object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**size, "include_dashboard": False})
    cluster.lost = [cluster.add_node(**size) for _ in range(2)][-1]
    cluster.size = size
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    cluster.shutdown()
    assert wait_for(lambda: not marked("cluster"))


@pytest.fixture
def executor_on(cluster):
    executors = []

    def start(*args):
        executors.append(RayExecutor.open(*args))
        return executors[-1]

    yield start
    for executor in executors:
        executor.shutdown()


def test_a_lost_node_costs_what_ran_on_it_and_a_new_one_is_used(cluster, executor_on, tmp_path):
    executor = executor_on(Resources(), tmp_path / "logs")
    assert executor.capacity == 6
    seen = [job.result()[:2] for job in [executor.submit(ray_jobs.where) for _ in range(6)]]
    assert set(seen) == {("0", "cuda:0"), ("1", "cuda:0")}
    jobs = [make_job("toy", f"job{number}", tmp_path) for number in range(12)]

    def starts():
        lines = (tmp_path / "starts.txt").read_text().split("\n")[:-1] if (tmp_path / "starts.txt").exists() else []
        return [line.split() for line in lines]

    retried, store = [], Store(tmp_path)
    with ThreadPoolExecutor(1) as thread:
        walking = thread.submit(
            walk,
            {job.key: job for job in jobs},
            lambda job: store.is_done("toy", job.key),
            ray_jobs.run_when_told,
            executor,
            lambda event: retried.append(event.job.name) if event.what == "retried" else None,
        )
        assert wait_for(lambda: len(starts()) == 6)
        [lost] = [info.process.pid for info in cluster.lost.all_processes["raylet"]]
        cluster.remove_node(cluster.lost, allow_graceful=False)
        cluster.add_node(**cluster.size)
        (tmp_path / "go").touch()
        report = walking.result()
    assert report.failed == []
    assert len(report.done) == 12
    hit = [name for name, raylet in starts() if int(raylet) == lost]
    assert len(hit) == 2
    assert sorted(retried) == sorted(hit)
    assert Counter(name for name, _ in starts()) == Counter(job.name for job in jobs) + Counter(hit)


def test_a_driver_killed_with_9_leaves_nothing(tmp_path):
    environment = os.environ | {"RAY_ADDRESS": "local", MARK: "driver"}
    code = f"import sys; sys.path[:] = {sys.path!r}; import ray_jobs; ray_jobs.drive(ray_jobs.Path({str(tmp_path)!r}))"
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as driver:
        assert wait_for((tmp_path / "pid").exists, seconds=60)
        job = int((tmp_path / "pid").read_text())
        assert not is_gone(job)
        driver.send_signal(signal.SIGKILL)
    # two small agents of Ray's own follow a minute or two later
    assert wait_for(lambda: all(process.name().endswith("Agent") for process in marked("driver")))
    assert is_gone(job)

"""What is ours of a machine, by files of /proc and /sys as kernels write them."""

import os

import psutil
import pytest

from benchmark.scheduler.executors import machine, slots
from benchmark.scheduler.executors.machine import cores, memory, processor
from benchmark.scheduler.executors.slots import DEVICE_VARIABLE, Slot, cpu_slots
from benchmark.scheduler.making import made_here

GB = 2**30


@pytest.fixture(autouse=True)
def large(monkeypatch):
    """16 cores and 64 GB."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"total": 64 * GB}))


@pytest.fixture
def system(tmp_path):
    def system(cgroup, **files):
        for path, text in {"proc/self/cgroup": cgroup, **files}.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return system


def v2(path, cpu="max 100000", memory="max"):
    return {f"sys/fs/cgroup{path}/cpu.max": f"{cpu}\n", f"sys/fs/cgroup{path}/memory.max": f"{memory}\n"}


def v1(path, quota=-1, memory=2**63 - 4096):
    cpu = f"sys/fs/cgroup/cpu,cpuacct{path}"
    files = {f"{cpu}/cpu.cfs_quota_us": f"{quota}\n", f"{cpu}/cpu.cfs_period_us": "100000\n"}
    return {**files, f"sys/fs/cgroup/memory{path}/memory.limit_in_bytes": f"{memory}\n"}


V1 = "12:memory:/slurm/job_7\n4:cpu,cpuacct:/slurm/job_7\n1:name=systemd:/user\n"


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        ("0::/job\n", v2("/job"), (16, 64 * GB)),
        ("0::/job\n", v2("/job", "250000 100000", 3 * GB), (2, 3 * GB)),
        ("0::/job/step\n", v2("/job", "400000 100000", 8 * GB) | v2("/job/step"), (4, 8 * GB)),
        ("0::/\n", v2("", "50000 100000", GB), (1, GB)),
        ("0::/docker/of/the/host\n", v2("", "300000 100000"), (3, 64 * GB)),
        ("0::/job\n", v2("/job", "3200000 100000", 128 * GB), (16, 64 * GB)),
        (V1, v1("/slurm/job_7"), (16, 64 * GB)),
        (V1, v1("/slurm/job_7", 600000, 12 * GB), (6, 12 * GB)),
        (V1, v1("", 200000, 2 * GB), (2, 2 * GB)),
        (V1 + "0::/\n", v1("/slurm", 300000) | v1("/slurm/job_7", memory=5 * GB), (3, 5 * GB)),
        ("0::/job\n", {"sys/fs/cgroup/job/cpu.max": "odd", "sys/fs/cgroup/job/memory.max": ""}, (16, 64 * GB)),
        ("", {}, (16, 64 * GB)),
    ],
)
def test_quotas_and_limits_of_both_versions_and_of_what_is_above(system, cgroup, files, expected):
    root = system(cgroup, **files)
    assert (cores(root), memory(root)) == expected


def test_another_system_has_none(tmp_path):
    assert (cores(tmp_path), memory(tmp_path)) == (16, 64 * GB)


@pytest.mark.parametrize(("room", "processes", "count"), [(64, 1, 4), (64, 3, 1), (4, 1, 2), (1, 1, 1), (64, 9, 1)])
def test_there_are_as_many_slots_as_cores_and_memory_allow(monkeypatch, room, processes, count):
    monkeypatch.setattr(slots, "cores", lambda: 4)
    monkeypatch.setattr(slots, "memory", lambda: room * GB)
    assert cpu_slots(processes) == [Slot("cpu")] * count
    assert len(cpu_slots(processes, threads=2)) == max(1, min(count, 4 // (2 * processes)))
    assert machine.cores() >= 1


def test_a_processor_has_the_name_that_linux_gives_it_or_its_architectures(system, tmp_path):
    assert processor(tmp_path / "nothing")
    cpuinfo = "processor\t: 0\nmodel name\t: Abacus 9\n\nprocessor\t: 1\nmodel name\t: Abacus 9\n"
    assert processor(system("0::/\n", **{"proc/cpuinfo": cpuinfo})) == "Abacus 9"


def test_a_job_that_has_used_no_gpu_was_made_by_the_processor(monkeypatch):
    monkeypatch.setenv(DEVICE_VARIABLE, "cuda:0")
    assert made_here(1.0)["machine"] == processor()

"""GPU jobs and others side by side: each in its own kind of slot."""

from dataclasses import dataclass

from scheduler_jobs import environment

from benchmark.scheduler.executors.local import LocalExecutor
from benchmark.scheduler.executors.slots import Slot
from benchmark.scheduler.executors.split import SplitExecutor


@dataclass
class Job:
    key: str
    on_cpu: bool


def device_of(job):
    return environment("MIR_PRETEXT_DEVICE", "CUDA_VISIBLE_DEVICES")


def test_what_needs_no_gpu_runs_on_a_core(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    executor = SplitExecutor(LocalExecutor([Slot("cuda:0")], 1), LocalExecutor([Slot("cpu")] * 2, 1))
    try:
        assert executor.capacity == 3
        on_gpu, on_core = (executor.submit(device_of, Job("k", on_cpu)).result() for on_cpu in (False, True))
        assert on_gpu == {"MIR_PRETEXT_DEVICE": "cuda:0", "CUDA_VISIBLE_DEVICES": "5"}
        assert on_core == {"MIR_PRETEXT_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    finally:
        executor.shutdown()

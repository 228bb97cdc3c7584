"""Workers: jobs run where they should, and no death of one goes unnoticed or leaves anything behind."""

import os
import signal
import subprocess
import sys

import pytest
import scheduler_jobs
from helpers.processes import is_gone, wait_for
from scheduler_jobs import make_job

from benchmark.interfaces import Resources, UserError, WorkerDied
from benchmark.scheduler.executors import slots
from benchmark.scheduler.executors.inline import InlineExecutor
from benchmark.scheduler.executors.local import LocalExecutor
from benchmark.scheduler.executors.slots import Slot, cpu_slots, slots_for

CPU = Slot("cpu")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@pytest.fixture
def start():
    executors = []

    def start(slots=(CPU,), threads=1, log_dir=None):
        executors.append(LocalExecutor(list(slots), threads, log_dir))
        return executors[-1]

    yield start
    for executor in executors:
        executor.shutdown()


def run_driver(call, **options):
    code = f"import sys; sys.path[:] = {sys.path!r}; from pathlib import Path; import scheduler_jobs; {call}"
    return subprocess.Popen([sys.executable, "-c", code], **options)


def test_results_and_worker_persist(start):
    executor = start()
    assert executor.submit(scheduler_jobs.add, 1, 2).result() == 3
    pids = {executor.submit(scheduler_jobs.pid).result() for _ in range(5)}
    assert len(pids) == 1
    assert pids != {os.getpid()}


def test_slots_work_side_by_side_and_the_free_one_takes_the_next_job(start, tmp_path):
    executor = start([CPU, CPU])
    slow = executor.submit(scheduler_jobs.pid_after, tmp_path / "go")
    quick = {executor.submit(scheduler_jobs.pid).result() for _ in range(6)}
    assert not slow.done()
    assert len(quick) == 1
    (tmp_path / "go").touch()
    assert slow.result() not in quick


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_and_device_are_set_before_the_interpreter_starts(start, threads):
    executor = start(threads=threads)
    seen = executor.submit(scheduler_jobs.environment, *THREADS, "CUDA_VISIBLE_DEVICES", "MIR_PRETEXT_DEVICE").result()
    assert seen == dict.fromkeys(THREADS, str(threads)) | {
        "CUDA_VISIBLE_DEVICES": "",
        "MIR_PRETEXT_DEVICE": "cpu",
    }
    assert "MIR_PRETEXT_DEVICE" not in os.environ


def test_freed_memory_is_kept_for_the_next_step_and_given_back_at_the_end_of_a_job(start, monkeypatch):
    before, kept, after = start().submit(scheduler_jobs.resident_mb_of_freed_blocks).result()
    assert kept - before > 300
    assert after - before < 50
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "7")
    assert start().submit(scheduler_jobs.environment, "MALLOC_MMAP_MAX_").result() == {"MALLOC_MMAP_MAX_": "7"}


def test_numpy_obeys(start):
    pools = start(threads=1).submit(scheduler_jobs.numpy_threads).result()
    assert pools
    assert set(pools) == {1}


@pytest.mark.parametrize(("visible", "expected"), [(None, {"0", "1"}), ("2,GPU-5f", {"2", "GPU-5f"})])
def test_each_gpu_slot_sees_its_own_gpu_only(start, monkeypatch, visible, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    executor = start([Slot("cuda:0"), Slot("cuda:1")])
    jobs = [executor.submit(scheduler_jobs.meet, "CUDA_VISIBLE_DEVICES", "MIR_PRETEXT_DEVICE") for _ in range(2)]
    seen = [job.result() for job in jobs]
    assert {environment["CUDA_VISIBLE_DEVICES"] for environment in seen} == expected
    assert {environment["MIR_PRETEXT_DEVICE"] for environment in seen} == {"cuda:0"}


def test_a_slot_may_hold_several_gpus(start, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    executor = start([Slot("cuda:2", 2)])
    seen = executor.submit(scheduler_jobs.environment, "CUDA_VISIBLE_DEVICES", "MIR_PRETEXT_DEVICE").result()
    assert seen == {"CUDA_VISIBLE_DEVICES": "6,7", "MIR_PRETEXT_DEVICE": "cuda:0"}


def test_a_hidden_gpu_is_refused(start, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(ValueError, match="cuda:1 is hidden by CUDA_VISIBLE_DEVICES='3'"):
        start([Slot("cuda:1")])


@pytest.mark.parametrize(
    ("listed", "visible", "expected"),
    [
        (2, None, ["cuda:0", "cuda:1"]),
        (4, "3,1", ["cuda:0", "cuda:1"]),
        (2, "", None),
        (2, "-1", None),
        (0, "0", None),
        (None, None, None),
    ],
)
def test_slots_are_the_visible_gpus_else_the_cores(tmp_path, monkeypatch, listed, visible, expected):
    if listed is not None:
        _show_gpus(tmp_path, listed)
    _torch_can_use_all(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert slots_for(Resources()) == ([Slot(name) for name in expected] if expected else cpu_slots())


def _torch_can_use_all(monkeypatch, but=()):
    monkeypatch.setattr(slots, "_tried", lambda visible: (frozenset(range(len(visible))) - {*but}, "it is busy"))


def test_a_gpu_that_is_listed_and_torch_cannot_use_is_said_and_the_cpu_used(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # a torch that is built without CUDA
    (tmp_path / "torch.py").write_text(
        "class cuda:\n    device_count = lambda: 0\n"
        "def ones(*args, **options):\n    raise AssertionError('Torch not compiled with CUDA enabled')\n"
    )
    _show_gpus(tmp_path, 1)
    monkeypatch.setenv("PATH", str(tmp_path))
    slots._tried.cache_clear()
    slots._warn.cache_clear()
    for _ in range(2):
        assert slots_for(Resources()) == cpu_slots()
    assert capsys.readouterr().err == (
        "warning: nvidia-smi lists 1 GPUs, and torch can use 0 of them (AssertionError: Torch not compiled with CUDA "
        "enabled): going on with the CPU\n"
    )
    slots._tried.cache_clear()


def test_a_gpu_that_torch_cannot_use_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _show_gpus(tmp_path, 4)
    _torch_can_use_all(monkeypatch, but={1})
    assert [slot.device for slot in slots_for(Resources())] == ["cuda:0", "cuda:2", "cuda:3"]
    assert slots_for(Resources(devices=2)) == [Slot("cuda:2", 2)]


def test_an_exception_arrives_as_raised_with_its_traceback(start):
    executor = start()
    error = executor.submit(scheduler_jobs.add, 1, "2").exception()
    assert isinstance(error, TypeError)
    assert "return a + b" in error.__notes__[0]
    odd = executor.submit(scheduler_jobs.raise_odd).exception()
    assert isinstance(odd, RuntimeError)
    assert str(odd) == "OddError: one and two"
    assert isinstance(executor.submit(scheduler_jobs.leave, 3).exception(), SystemExit)
    assert executor.submit(scheduler_jobs.add, 1, 2).result() == 3


def test_what_cannot_be_pickled_is_an_error_not_a_hang(start):
    executor = start()
    with pytest.raises((AttributeError, TypeError), match="pickle"):
        executor.submit(lambda: 1)
    assert "pickle" in str(executor.submit(scheduler_jobs.a_lock).exception())
    assert executor.submit(scheduler_jobs.add, 1, 2).result() == 3


def test_a_killed_worker_costs_its_own_job_only(start, tmp_path):
    executor = start([CPU, CPU])
    jobs = [executor.submit(scheduler_jobs.add, number, 0) for number in range(10)]
    victim = executor.submit(scheduler_jobs.kill_self)
    jobs += [executor.submit(scheduler_jobs.add, number, 0) for number in range(10, 20)]
    assert [job.result() for job in jobs] == list(range(20))
    assert isinstance(victim.exception(), WorkerDied)
    assert "signal 9, Killed" in str(victim.exception())


def test_a_worker_killed_while_idle_costs_nothing_or_one_retry(start):
    executor = start()
    first = executor.submit(scheduler_jobs.pid).result()
    os.kill(first, signal.SIGKILL)
    assert wait_for(lambda: is_gone(first))
    assert executor.submit(scheduler_jobs.pid).result() != first


def test_children_of_a_killed_worker_go_with_it(start, tmp_path):
    executor = start()
    job = executor.submit(scheduler_jobs.with_child, tmp_path / "pids")
    assert wait_for(lambda: (tmp_path / "pids").exists() and " " in (tmp_path / "pids").read_text())
    worker, child = map(int, (tmp_path / "pids").read_text().split())
    os.kill(worker, signal.SIGKILL)
    assert isinstance(job.exception(), WorkerDied)
    assert wait_for(lambda: is_gone(child))


def test_output_goes_to_the_log_of_the_job(start, tmp_path, capfd):
    executor = start(log_dir=tmp_path / "logs")
    executor.submit(scheduler_jobs.shout, "abc", "hello").result()
    executor.submit(scheduler_jobs.shout, "def", "other").result()
    assert (tmp_path / "logs" / "abc.log").read_text() == "hello\nfrom C\nfrom a child\n"
    assert (tmp_path / "logs" / "def.log").read_text() == "other\nfrom C\nfrom a child\n"
    assert capfd.readouterr() == ("", "")


def test_a_failure_brings_the_end_of_its_log(start, tmp_path):
    executor = start(log_dir=tmp_path)
    died = executor.submit(scheduler_jobs.shout_and_die, "abc").exception()
    assert died.__notes__ == [f"last words\nlog: {tmp_path / 'abc.log'}"]
    job = make_job("toy", "bad", tmp_path, raises="always")
    raised = executor.submit(scheduler_jobs.run_job, job).exception()
    assert raised.__notes__[-1] == f"log: {tmp_path / job.key}.log"
    assert "does\nnot converge" in (tmp_path / f"{job.key}.log").read_text()


def test_inline_tells_of_a_failure_as_a_worker_does(start, tmp_path):
    told = []
    for name, executor in (("worker", start(log_dir=tmp_path)), ("inline", InlineExecutor(tmp_path))):
        (tmp_path / name).mkdir()
        job = make_job("toy", "bad", tmp_path / name, raises="always")
        *_, traceback, log = executor.submit(scheduler_jobs.run_job, job).exception().__notes__
        path = tmp_path / f"{job.key}.log"
        assert log == f"log: {path}"
        # below whatever called the job
        told += [text.partition(f'File "{scheduler_jobs.__file__}"')[2] for text in (traceback, path.read_text())]
    assert "raise ValueError(" in told[0]
    assert told == 4 * told[:1]


def test_a_log_is_named_by_nothing_that_leaves_its_folder(start, tmp_path):
    executor = start(log_dir=tmp_path / "logs")
    executor.submit(scheduler_jobs.shout, "../../evil", "hello").result()
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["shout.log"]
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_shutdown_kills_what_runs_cancels_what_waits_and_leaves_no_process(start, tmp_path):
    executor = start([CPU, CPU])
    running = [executor.submit(scheduler_jobs.with_child, tmp_path / f"{number}") for number in range(2)]
    waiting = executor.submit(scheduler_jobs.add, 1, 2)
    assert wait_for(lambda: all((tmp_path / name).exists() and " " in (tmp_path / name).read_text() for name in "01"))
    pids = [int(word) for name in "01" for word in (tmp_path / name).read_text().split()]
    executor.shutdown()
    assert all(is_gone(pid) for pid in pids[::2])
    assert wait_for(lambda: all(is_gone(pid) for pid in pids))
    assert waiting.cancelled()
    assert all(isinstance(job.exception(), WorkerDied) for job in running)
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(scheduler_jobs.add, 1, 2)
    executor.shutdown()


def test_idle_workers_are_gone_after_shutdown(start):
    executor = start([CPU, CPU])
    pids = [job.result() for job in [executor.submit(scheduler_jobs.pid, 0.3) for _ in range(2)]]
    executor.shutdown()
    assert all(is_gone(pid) for pid in pids)


def test_a_driver_killed_with_9_takes_its_busy_workers_along(tmp_path):
    with run_driver(f"scheduler_jobs.drive(Path({str(tmp_path)!r}))") as driver:
        files = [tmp_path / "0.pid", tmp_path / "1.pid"]
        assert wait_for(lambda: all(path.exists() for path in files))
        pids = [int(path.read_text()) for path in files]
        assert not any(is_gone(pid) for pid in pids)
        driver.kill()
    assert wait_for(lambda: all(is_gone(pid) for pid in pids))


def test_a_driver_that_forgets_to_shut_down_still_ends_and_leaves_nothing():
    with run_driver("scheduler_jobs.forget_to_shut_down()", stdout=subprocess.PIPE, text=True) as driver:
        output, _ = driver.communicate()
    assert driver.returncode == 0
    assert is_gone(int(output))


def test_the_module_is_light(tmp_path):
    code = "import sys, benchmark.scheduler.executors.local; print({'numpy', 'torch'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_signals_without_a_name_are_told_too(start):
    error = start().submit(scheduler_jobs.real_time_signal).exception()
    assert isinstance(error, WorkerDied)
    assert f"signal {signal.SIGRTMIN + 3}" in str(error)


def _show_gpus(folder, count):
    """An nvidia-smi that lists so many."""
    lines = "\n".join(f"echo 'GPU {index}: NVIDIA H100 (UUID: GPU-{index})'" for index in range(count))
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{lines}\necho '  MIG 1g.10gb Device 0: (UUID: MIG-1)'\n")
    (folder / "nvidia-smi").chmod(0o755)


def test_jobs_that_share_gpus_get_groups_of_them(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert slots_for(Resources(devices=2)) == cpu_slots(2)
    _show_gpus(tmp_path, 5)
    _torch_can_use_all(monkeypatch)
    assert slots_for(Resources(devices=2)) == [Slot("cuda:0", 2), Slot("cuda:2", 2)]
    with pytest.raises(UserError, match=r"pretrain\.devices: 8, but this machine shows 5 GPUs"):
        slots_for(Resources(devices=8))


def test_jobs_that_share_gpus_are_spread_over_all_of_them_first(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _show_gpus(tmp_path, 2)
    _torch_can_use_all(monkeypatch)
    names = [slot.device for slot in slots_for(Resources(jobs_per_gpu=2))]
    assert names == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert slots_for(Resources(workers=3))[2] == Slot("cuda:0")


def test_a_job_that_hangs_is_killed_and_its_slot_goes_on():
    executor = LocalExecutor([Slot("cpu")], threads=1, time_limit=4.0)
    try:
        late, next_one = executor.submit(scheduler_jobs.pid, 600.0), executor.submit(scheduler_jobs.add, 1, 2)
        with pytest.raises(TimeoutError, match=r"killed after .* the limit that --time-limit sets"):
            late.result()
        assert next_one.result() == 3
    finally:
        executor.shutdown()

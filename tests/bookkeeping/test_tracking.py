"""The MLflow mirror says what the store says: each job once, whatever is killed, locked or away.

Mirrors are read back with sqlite3, or asked for over HTTP by MLflow's own client: never through benchmark's code.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from helpers.forked import quick

from benchmark.bookkeeping.mirror.tracking import Mirror
from benchmark.cli.track import track_rebuild
from benchmark.interfaces import UserError
from benchmark.store.artefacts import Store, content_key
from benchmark.store.job import Job

# MLflow's own use of SQLAlchemy is behind SQLAlchemy
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")

CURVE = [4.0, 2.5, 1.25]


@pytest.fixture(autouse=True)
def own_settings(monkeypatch):
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    # what the mirror sets by itself must not outlive the test
    for name in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"):
        monkeypatch.setenv(name, "true")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "results"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """An empty database: MLflow takes seconds to make one."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def begun(out, tables):
    """A results folder whose database has its tables."""
    out.mkdir()
    shutil.copy(tables, out)
    return out


def pretrained(store, seed=0, **options):
    spec = {"kind": "pretrain", "strategy": "simclr", "encoder": "cnn_small", "seed": seed, "needs": ["a" * 64]}
    spec |= {"options": {"temperature": 0.1, "augment": ["gain", "noise"], "note": "", **options}}
    info = {
        "steps": 201,
        "job_seconds": 12.5,
        "device": "cpu",
        "loss": 1.25,
        "curve": CURVE,
        "peak_mb": None,
        "collapsed": 0.0,
    }
    return put(store, spec, info, {"encoder.safetensors": b"weights"})


def probed(store, seed=0, rows=None):
    spec = {"kind": "probe", "strategy": "simclr", "encoder": "cnn_small", "seed": seed, "task": "key"}
    draws = [(0.1, 0, 0.5), (0.1, 1, 0.25), (1.0, 0, 0.75)] if rows is None else rows
    table = pd.DataFrame(draws, columns=["fraction", "resample", "value"])
    table = table.assign(probe="linear", metric="weighted", corruption="", severity=0, test_stderr=0.1, n_train=9)
    noisy = table.tail(1).assign(corruption="noise", severity=2, value=0.125)
    undefined = table.tail(1).assign(metric="ap@5", value=np.nan)
    return put(store, spec, {}, {"scores.parquet": pd.concat([table, noisy, undefined])})


def put(store, spec, info, files):
    key = content_key(spec)
    with store.writing(spec["kind"], key, spec) as draft:
        draft.info.update(info)
        for name, content in files.items():
            if isinstance(content, bytes):
                (draft.path / name).write_bytes(content)
            else:
                content.to_parquet(draft.path / name, index=False)
    return Job(key, spec["kind"], f"{spec['kind']} {key[:6]}", spec)


def mirror(out, jobs, grid="tiny"):
    with Mirror(out, grid, "python -m benchmark run --grid tiny") as opened:
        for job in jobs:
            opened.log(job, Store(out))
    return opened


def query(database, sql):
    connection = sqlite3.connect(database)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def children(database):
    """What each job's run holds, by job key; fails if a job has two."""
    found = {}
    tags = "select run_uuid, value from tags where key = 'job_key'"
    for run, key in query(database, tags):
        assert key not in found
        where = f"where run_uuid = '{run}'"
        found[key] = {
            "run": query(database, f"select name, status, start_time, end_time from runs {where}"),
            "params": dict(query(database, f"select key, value from params {where}")),
            "metrics": set(query(database, f"select key, step, iif(is_nan, 'nan', value) from metrics {where}")),
            "tags": set(query(database, f"select key, value from tags {where} and key != 'mlflow.parentRunId'")),
        }
    return found


def parents(database):
    """Status of each grid run, and how many children it has."""
    of_child = Counter(run for (run,) in query(database, "select value from tags where key = 'mlflow.parentRunId'"))
    rows = query(
        database,
        "select run_uuid, status from runs join tags using (run_uuid) where key = 'command' order by start_time",
    )
    return [(status, of_child[run]) for run, status in rows]


def test_children_say_what_the_store_says(out, tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("HOME", str(tmp_path / "cwd"))
    store = Store(out)
    first, second = pretrained(store), probed(store)
    embedding = Job("e" * 64, "embed", "embed", {})
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert mirror(out, [first, embedding, second]).added == 2
    found = children(out / "mlflow.db")
    assert found.keys() == {first.key, second.key}
    assert found[second.key]["metrics"] == {
        ("weighted/linear/0.1/0", 0, 0.5),
        ("weighted/linear/0.1/1", 0, 0.25),
        ("weighted/linear/1/0", 0, 0.75),
        ("weighted/linear/1/0/noise/2", 0, 0.125),
        ("ap_5/linear/1/0", 0, "nan"),
    }
    assert found[first.key]["metrics"] == {
        *[("curve", 0, 4.0), ("curve", 100, 2.5), ("curve", 200, 1.25)],
        *[("steps", 0, 201.0), ("job_seconds", 0, 12.5), ("loss", 0, 1.25), ("collapsed", 0, 0.0)],
    }
    params = found[first.key]["params"]
    assert (params["options.temperature"], params["options.augment"]) == ("0.1", '["gain", "noise"]')
    ((name, status, start, end),) = found[first.key]["run"]
    assert (name, status, end - start) == ("pretrain simclr cnn_small seed 0", "FINISHED", 12500)
    assert parents(out / "mlflow.db") == [("FINISHED", 2)]
    after = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert after - before == {out / "mlflow.db", out / "mirrored.json"}
    artifacts = query(out / "mlflow.db", "select artifact_location from experiments where name = 'tiny'")
    assert artifacts == [((out / "mlflow-files").as_uri(),)]


def test_a_job_is_logged_once_and_the_next_grid_run_adds_its_own(begun):
    store = Store(begun)
    first, second = pretrained(store), probed(store)
    assert mirror(begun, [first, first, second]).added == 2
    before = children(begun / "mlflow.db")
    assert mirror(begun, [second, first]).added == 0
    assert children(begun / "mlflow.db") == before
    third = probed(store, seed=1)
    with Mirror(begun, "tiny", "again") as opened:
        opened.complete([first, second, third, Job("f" * 64, "probe", "never made", {})], store)
    assert children(begun / "mlflow.db").keys() == {first.key, second.key, third.key}
    assert parents(begun / "mlflow.db") == [("FINISHED", 2), ("FINISHED", 1)]


def test_more_metrics_than_mlflow_takes_at_once(begun):
    rows = [(0.1, resample, resample / 4096) for resample in range(2100)]
    job = probed(Store(begun), rows=rows)
    assert mirror(begun, [job]).error == ""
    logged = {name: value for name, _, value in children(begun / "mlflow.db")[job.key]["metrics"]}
    assert {f"weighted/linear/0.1/{n}": value for _, n, value in rows}.items() <= logged.items()


def python(code, *args, **env):
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | env, check=False)


COMPLETE = """
import sys
from pathlib import Path
from benchmark.store.artefacts import Store
from benchmark.bookkeeping.mirror.tracking import Mirror
from benchmark.store.job import Job
out = Path(sys.argv[1])
with Mirror(out, "tiny", "run") as mirror:
    mirror.complete([Job(path.name, path.parts[-3], "", {}) for path in sorted(out.glob("*/??/*"))], Store(out))
print(mirror.added, "mlflow" in sys.modules)
"""
#: dies between a child's creation and what it should hold
KILLED = """
import os, signal
import mlflow
real, calls = mlflow.MlflowClient.log_batch, []
def log_batch(*args):
    calls.append(real(*args) if len(calls) < 2 else os.kill(os.getpid(), signal.SIGKILL))
mlflow.MlflowClient.log_batch = log_batch
"""


def test_a_driver_that_is_killed_while_it_mirrors_loses_and_doubles_nothing(begun):
    store = Store(begun)
    keys = {pretrained(store).key, *(probed(store, seed).key for seed in range(4))}
    assert python(KILLED + COMPLETE, begun).returncode == -signal.SIGKILL
    assert len(children(begun / "mlflow.db")) == 2
    assert python(COMPLETE, begun).stdout == "3 True\n"
    found = children(begun / "mlflow.db")
    assert found.keys() == keys
    assert {job["run"][0][1] for job in found.values()} == {"FINISHED"}
    assert parents(begun / "mlflow.db") == [("KILLED", 3), ("FINISHED", 3)]
    assert query(begun / "mlflow.db", "select count(*) from runs where status = 'RUNNING'") == [(0,)]
    # with nothing left to do, MLflow is not even imported
    assert python(COMPLETE, begun).stdout == "0 False\n"
    assert not (begun / "mlflow.lock").exists()


#: dies in the midst of the tables
HALF_MADE = """
import os, signal
import alembic.op
real = alembic.op.add_column
def add_column(*args, **options):
    real(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)
alembic.op.add_column = add_column
"""


@pytest.mark.long
def test_a_driver_that_is_killed_while_the_database_is_made_leaves_none(out):
    store = Store(out)
    keys = {probed(store, seed).key for seed in range(2)}
    assert python(HALF_MADE + COMPLETE, out).returncode == -signal.SIGKILL
    assert not (out / "mlflow.db").exists()
    done = python(COMPLETE, out)
    assert (done.stdout, done.stderr) == ("2 True\n", "")
    assert children(out / "mlflow.db").keys() == keys


def half_made(path, tables):
    connection = sqlite3.connect(path)
    connection.execute("create table experiments (experiment_id integer)")
    connection.close()


VOID = {
    "half made": half_made,
    "no run in it": lambda path, tables: shutil.copy(tables, path),
    "emptied": lambda path, tables: path.write_bytes(b""),
    "damaged": lambda path, tables: path.write_bytes(b"no database" * 1000),
}


@pytest.mark.parametrize("spoil", VOID.values(), ids=VOID)
def test_a_mirror_without_a_run_is_made_again_by_the_next_run(spoil, begun, tables):
    job = probed(Store(begun))
    record = {"place": f"sqlite:///{begun}/mlflow.db", "grid": "tiny", "keys": [job.key]}
    (begun / "mirrored.json").write_text(json.dumps(record))
    (begun / "mlflow.db").unlink()
    spoil(begun / "mlflow.db", tables)
    with Mirror(begun, "tiny", "run") as opened:
        opened.complete([job], Store(begun))
    assert (opened.added, opened.error) == (1, "")
    assert children(begun / "mlflow.db").keys() == {job.key}


@pytest.mark.parametrize("rubbish", ["[1]", "{}", '{"place": 1, "grid": "tiny", "keys": {}}', ""])
def test_a_record_that_is_rubbish_is_no_record(rubbish, begun):
    (begun / "mirrored.json").write_text(rubbish)
    assert Mirror(begun, "tiny", "run")._recorded() == set()


def test_who_leaves_its_jobs_to_another_driver_says_so(begun, capsys):
    job = probed(Store(begun))
    with Mirror(begun, "tiny", "first") as writing:
        writing.log(job, Store(begun))
        with Mirror(begun, "other", "second") as waiting:
            waiting.complete([job], Store(begun))
    assert f"is being written by process {os.getpid()} of this machine" in capsys.readouterr().err


def test_of_two_drivers_one_mirrors_and_nothing_is_doubled_or_lost(begun):
    store = Store(begun)
    jobs = [probed(store, seed) for seed in range(3)]
    with Mirror(begun, "tiny", "second") as waiting:
        with Mirror(begun, "tiny", "first") as writing:
            writing.log(jobs[0], store)
            waiting.log(jobs[0], store)
            waiting.log(jobs[1], store)
            assert waiting.added == 0
        waiting.log(jobs[2], store)
        waiting.complete(jobs, store)
    assert children(begun / "mlflow.db").keys() == {job.key for job in jobs}
    assert parents(begun / "mlflow.db") == [("FINISHED", 1), ("FINISHED", 2)]


def test_rebuild_equals_the_mirror_that_grew_with_the_run_save_for_what_is_damaged(begun):
    store = Store(begun)
    mirror(begun, [pretrained(store), probed(store), probed(store, seed=1)])
    (begun / "run.json").write_text(json.dumps({"grid": "tiny", "command": "python -m benchmark run --grid tiny"}))
    grown = children(begun / "mlflow.db")
    damaged = probed(store, seed=2)
    table = store.folder("probe", damaged.key) / "scores.parquet"
    table.write_bytes(bytes(table.stat().st_size))
    done = quick("track", "rebuild", str(begun))
    assert (done.returncode, done.stdout) == (0, f"3 jobs mirrored to sqlite:///{begun}/mlflow.db\n")
    assert done.stderr == f"left out, since it is damaged (run the grid again): probe {damaged.key}\n"
    assert table.exists()
    assert children(begun / "mlflow.db") == grown
    assert parents(begun / "mlflow.db") == [("FINISHED", 3)]


def test_rebuild_says_where_it_finds_nothing(tmp_path):
    done = quick("track", "rebuild", str(tmp_path / "nowhere"))
    assert (done.returncode, "nowhere: there is no such folder; name a results folder" in done.stderr) == (2, True)
    assert not (tmp_path / "nowhere").exists()


def test_rebuild_does_not_touch_the_mirror_of_a_run_under_way(begun):
    store = Store(begun)
    job = probed(store)
    with Mirror(begun, "tiny", "run") as opened:
        opened.log(job, store)
        done = quick("track", "rebuild", str(begun))
    assert (done.returncode, "a run is writing its mirror" in done.stderr) == (2, True)
    assert children(begun / "mlflow.db").keys() == {job.key}


def test_a_server_that_is_away_costs_one_warning(begun, monkeypatch, capsys):
    store = Store(begun)
    jobs = [pretrained(store), probed(store)]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{free_port()}")
    assert mirror(begun, jobs).added == 0
    said = capsys.readouterr().err
    assert said.count("warning: MLflow at http://127.0.0.1") == 1
    assert "track rebuild" in said
    assert "secret" not in said
    with pytest.raises(typer.Exit) as ended:
        track_rebuild(begun)
    assert ended.value.exit_code == 1
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with Mirror(begun, "tiny", "run") as opened:
        opened.complete(jobs, store)
    assert children(begun / "mlflow.db").keys() == {job.key for job in jobs}


def test_a_database_that_cannot_be_written_costs_one_warning(begun, capsys, monkeypatch):
    from mlflow.store.db import utils

    # MLflow tries again for minutes, and waits for the lock each time
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    mirror(begun, [probed(Store(begun))])
    before = children(begun / "mlflow.db")
    holder = sqlite3.connect(begun / "mlflow.db", isolation_level=None)
    holder.execute("begin exclusive")
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0.1))
    text = utils.sql.text
    monkeypatch.setattr(utils.sql, "text", lambda said: text(said.replace("busy_timeout = 20000", "busy_timeout = 50")))
    try:
        assert mirror(begun, [probed(Store(begun), seed=1)]).added == 0
    finally:
        holder.close()
    assert capsys.readouterr().err.count("warning: MLflow at sqlite") == 1
    assert children(begun / "mlflow.db") == before


@pytest.mark.long
def test_a_full_disk_costs_one_warning_and_no_traceback(begun):
    """MLflow logs a traceback of what it raises."""
    probed(Store(begun), rows=[(0.1, resample, resample / 4096) for resample in range(2100)])
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"  # no file may grow beyond
    limit += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({(begun / 'mlflow.db').stat().st_size + 2**16},) * 2)\n"
    done = python(limit + COMPLETE, begun)
    assert done.stdout == "0 True\n"
    assert done.stderr.count("warning: MLflow at sqlite") == 1
    assert "Traceback" not in done.stderr
    (key,) = [path.name for path in begun.glob("probe/??/*")]
    assert python(COMPLETE, begun).stdout == "1 True\n"
    assert children(begun / "mlflow.db").keys() == {key}


def test_without_mlflow_the_way_out_is_named(out):
    code = "import sys; sys.modules['mlflow'] = None\n" + COMPLETE
    done = python(code, out)
    assert UserError.__name__ in done.stderr
    assert "--no-mlflow" in done.stderr


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(tmp_path):
    """A real MLflow server on loopback."""
    folder = tmp_path / "server"
    folder.mkdir()
    uri = f"http://127.0.0.1:{free_port()}"
    where = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder)]
    options = ["--host", "127.0.0.1", "--port", uri.rpartition(":")[2], "--workers", "1", *where]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options],
            cwd=folder,
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until_it_answers(process, f"{uri}/health", folder / "log")
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_it_answers(process, url, log):
    for _ in range(600):
        assert process.poll() is None, Path(log).read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    pytest.fail(Path(log).read_text())


@pytest.mark.long
def test_a_real_server_holds_the_mirror_and_rebuild_adds_what_it_lacks(out, server, monkeypatch, capsys, cli):
    from mlflow import MlflowClient

    store = Store(out)
    first, second, third = pretrained(store), probed(store), probed(store, seed=1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert mirror(out, [first, second], grid=out.name).added == 2
    assert capsys.readouterr() == ("", "")
    assert not (out / "mlflow.db").exists()
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name(out.name).experiment_id

    def of(job):
        (run,) = client.search_runs([experiment], f"tags.job_key = '{job.key}'")
        return run

    parent = of(second).data.tags["mlflow.parentRunId"]
    assert of(first).data.tags["mlflow.parentRunId"] == parent
    assert client.get_run(parent).data.tags["command"] == "python -m benchmark run --grid tiny"
    assert client.get_run(parent).info.status == "FINISHED"
    metrics = of(second).data.metrics
    assert np.isnan(metrics.pop("ap_5/linear/1/0"))
    table = pd.read_parquet(store.folder("probe", second.key) / "scores.parquet").dropna(subset="value")
    assert sorted(metrics.values()) == sorted(table["value"])
    curve = client.get_metric_history(of(first).info.run_id, "curve")
    assert [(point.step, point.value) for point in curve] == [(0, 4.0), (100, 2.5), (200, 1.25)]
    done = cli("track", "rebuild", str(out))
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"1 jobs mirrored to {server}\n")
    assert of(third).data.params["task"] == "key"
    assert len(client.search_runs([experiment])) == 5

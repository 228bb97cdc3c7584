"""Of weights, those that score best are carried as long as there is room; planted scores say which they are."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from helpers import planted
from stores import call, put

from benchmark.bookkeeping.best import best_checkpoints
from benchmark.interfaces import UserError
from benchmark.store.artefacts import Store

#: seeds that score higher have higher numbers; `random` and `mfcc` score, too, and have nothing to carry
BEST_FIRST = [("simclr", 2), ("simclr", 1), ("simclr", 0), ("byol", 2), ("byol", 1), ("byol", 0)]


@pytest.fixture
def results(tmp_path: Path) -> tuple[Store, dict[tuple[str, int], str]]:
    """A results folder with the tables of a run, and its checkpoints' keys."""
    store, record = Store(tmp_path / "results"), planted.run(list(planted.LEVELS))
    keys = {}
    for number, job in enumerate(record["pretraining"]):
        job["key"] = put(store, "pretrain", number + 1).key  # of 3,200 bytes each
        job["encoder"] = "cnn_small"
        keys[job["strategy"], job["seed"]] = job["key"]
    put(store, "embed", 1)
    planted.scores().to_parquet(store.root / "scores.parquet")
    rewrite(store, record)
    return store, keys


def rewrite(store: Store, record: dict[str, Any]) -> None:
    (store.root / "run.json").write_text(json.dumps(record))


@pytest.mark.parametrize("room", [0, 3_199, 3_200, 9_700, 1e6])
def test_the_best_come_first_as_many_as_fit(results: tuple[Store, dict[tuple[str, int], str]], room: float) -> None:
    store, keys = results
    assert best_checkpoints(store.root, store, room) == [keys[name] for name in BEST_FIRST][: int(room // 3_200)]


def test_where_less_is_better_the_order_turns_round(results: tuple[Store, dict[tuple[str, int], str]]) -> None:
    store, keys = results
    record = json.loads((store.root / "run.json").read_text())
    for task in record["tasks"].values():
        task["higher_is_better"] = False
    rewrite(store, record)
    assert best_checkpoints(store.root, store, 1e6) == [keys[name] for name in reversed(BEST_FIRST)]


def test_a_checkpoint_that_is_gone_leaves_its_room_to_the_next(
    results: tuple[Store, dict[tuple[str, int], str]],
) -> None:
    store, keys = results
    store.discard("pretrain", keys["simclr", 2])
    assert best_checkpoints(store.root, store, 3_200) == [keys["simclr", 1]]


def test_a_record_without_keys_is_refused(results: tuple[Store, dict[tuple[str, int], str]]) -> None:
    store, _ = results
    record = json.loads((store.root / "run.json").read_text())
    del record["pretraining"][0]["key"]
    rewrite(store, record)
    with pytest.raises(UserError, match="does not name the checkpoints"):
        best_checkpoints(store.root, store, 1e6)


def test_they_are_what_is_exported(results: tuple[Store, dict[tuple[str, int], str]], tmp_path: Path) -> None:
    store, keys = results
    for megabytes, names in (("1", set(keys.values())), ("0", set())):
        assert call("export", store.root, tmp_path / "best.tar", "--best-weights", megabytes).exit_code == 0
        with tarfile.open(tmp_path / "best.tar") as tar:
            assert {tuple(name.split("/")[::2][:2]) for name in tar.getnames()} == {("pretrain", key) for key in names}
    assert call("import", tmp_path / "best.tar", tmp_path / "copy").exit_code == 0, "an empty archive is one, too"
    wrong = call("export", store.root, tmp_path / "best.tar", "--best-weights", "1", "--scores-only")
    assert "give one of them" in str(wrong.exception)

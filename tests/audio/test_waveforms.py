"""Crops are slices of what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.audio.resident import crops_on, moved
from benchmark.audio.waveforms import Waveforms, join_shards, one_by_one


def _store(folder: Path) -> tuple[Waveforms, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    audio = [rng.integers(-30000, 30000, n, dtype=np.int16) for n in (500, 300, 800)]
    for i, members in enumerate((audio[:2], audio[2:])):
        (folder / str(i)).mkdir()
        np.save(folder / str(i) / "mix.npy", np.concatenate(members))
        np.save(folder / str(i) / "lengths.npy", [len(x) for x in members])
    join_shards([folder / "0", folder / "1"], ["mix"], pd.DataFrame({"id": list("abc")}), folder)
    return Waveforms.open(folder, 16_000), audio


def test_tracks_one_by_one_are_the_file_of_all_at_once(tmp_path: Path) -> None:
    parts = [np.arange(n, dtype=np.int16) for n in (0, 3, 100_000, 1)]
    with one_by_one(tmp_path / "one.npy") as append:
        for part in parts:
            append(part)
    np.save(tmp_path / "all.npy", np.concatenate(parts))
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "all.npy").read_bytes()


def test_crops_equal_slices_and_pad_short_tracks(tmp_path: Path) -> None:
    waves, audio = _store(tmp_path)
    rows, starts = np.array([2, 0, 1]), np.array([700, 13, 250])
    crops = waves.crops(rows, starts, 100)
    for crop, row, start in zip(crops, rows, starts, strict=True):
        expected = audio[row][start : start + 100]
        np.testing.assert_array_equal(crop[: len(expected)], expected)
        assert not crop[len(expected) :].any()


def test_corpora_side_by_side_are_heard_as_one(tmp_path: Path) -> None:
    """Crops are those of each, stems those that all have, and labels stay with their tracks."""
    stores = []
    for name, column in (("one", "mode"), ("other", "tags")):
        (tmp_path / name).mkdir()
        store, audio = _store(tmp_path / name)
        stems = dict(store.stems) | {"drums" if name == "one" else "vocals": store.stems["mix"]}
        stores.append((Waveforms(store.tracks.assign(**{column: list("xyz")}), stems, store.sample_rate), audio))
    both = Waveforms.beside([store for store, _ in stores])
    assert list(both.stems) == ["mix"]
    assert len(both.stems["mix"]) == 3200
    assert both.tracks["mode"].tolist()[:3] == list("xyz")
    assert both.tracks["mode"].isna().tolist() == [False] * 3 + [True] * 3
    rows, starts = np.array([5, 0, 3, 2]), np.array([790, 490, 0, 799])
    crops = both.crops(rows, starts, 20)
    for crop, row, start in zip(crops, rows, starts, strict=True):
        expected = stores[row // 3][1][row % 3][start : start + 20]
        np.testing.assert_array_equal(crop, np.pad(expected, (0, 20 - len(expected))))
    alone = stores[0][0]
    assert Waveforms.beside([alone]) is alone


def test_crops_of_resident_stems_are_the_same(tmp_path: Path) -> None:
    """Gathered on the device, also of windows, of some tracks and of corpora side by side; short tracks are padded."""
    store, _ = _store(tmp_path)
    both = Waveforms.beside([store, store])
    for waves, rows, starts in (
        (store, [2, 0, 1], [700, 13, 200]),
        (store, [2, 0, 1], [750, 13, 250]),
        (store.select(np.array([1, 2])), [1, 0], [3, 4]),
        (store.windows(0.02), [0, 2, 4], [0, 1, 9]),
        (both, [5, 0, 3, 2], [700, 390, 0, 699]),
    ):
        there = moved(waves, "cpu", ["mix"])
        expected = waves.crops(np.array(rows), np.array(starts), 100)
        np.testing.assert_array_equal(crops_on("cpu", there, np.array(rows), np.array(starts), 100), expected)
    kept = moved(store, "cpu", ["mix"]).select(np.array([2])).windows(0.02).resident["mix"]
    samples = kept.clone()
    kept += 1
    gathered = crops_on("cpu", moved(store, "cpu", ["mix"]), np.array([0]), np.array([0]), 100)
    np.testing.assert_array_equal(gathered, samples[None, :100]), "the file is not written to"


def test_samples_are_mapped_not_read(tmp_path: Path) -> None:
    assert isinstance(_store(tmp_path)[0].stems["mix"], np.memmap)


def test_a_stem_is_active_where_it_sounds(tmp_path: Path) -> None:
    """Two tracks of one level; the stem is the whole of the first one and a hundredth of the second."""
    mix = np.tile(np.array([8000, -8000], np.int16), 200)
    np.save(tmp_path / "mix.npy", mix)
    np.save(tmp_path / "drums.npy", (mix * np.repeat([1.0, 0.01], 200)).astype(np.int16))
    np.save(tmp_path / "lengths.npy", [200, 200])
    (tmp_path / "out").mkdir()
    join_shards([tmp_path], ["mix", "drums"], pd.DataFrame({"id": list("ab")}), tmp_path / "out")
    waves = Waveforms.open(tmp_path / "out", 16_000)
    assert waves.active("drums").tolist() == [True, False]
    assert waves.active("mix").all()
    rows, starts = np.array([1]), np.array([0])
    assert waves.crops(rows, starts, 2, "drums").tolist() == [[80, -80]]

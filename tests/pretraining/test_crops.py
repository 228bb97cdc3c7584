"""What a pre-training step hears: placements, sources and labels, on a store whose samples say where they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.audio.waveforms import Waveforms
from benchmark.interfaces import UserError
from benchmark.modules import Crops
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.crops import CropStream, to_batch

RATE, TRACKS, LENGTH = 10, 40, 100


@pytest.fixture
def waves() -> Waveforms:
    """Sample n of track r is 200 r + n; the stem `drums` is its negative, and sounds in every second track."""
    samples = (200 * np.arange(TRACKS)[:, None] + np.arange(LENGTH)).astype(np.int16)
    tracks = pd.DataFrame(
        {
            "split": ["train"] * 30 + ["test"] * 10,
            "family": [f"f{i % 3}" for i in range(TRACKS)],
            "mode": [f"m{i % 2}" for i in range(TRACKS)],
            "active_drums": [i % 2 == 0 for i in range(TRACKS)],
            "offset": np.arange(TRACKS) * LENGTH,
            "length": LENGTH,
        }
    )
    return Waveforms(tracks, {"mix": samples.reshape(-1), "drums": -samples.reshape(-1)}, RATE)


def stream(waves: Waveforms, spec: Crops, batch: int = 20) -> CropStream:
    return CropStream(waves, spec, PretrainConfig(crops=1000, batch_size=batch), seed=3)


def places(heard: dict[str, torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Track and start of each crop, (B, count), read off the first sample."""
    first = heard["crops"][..., 0].abs().numpy().astype(int)
    return first // 200, first % 200


def test_a_share_of_the_labels_is_one_of_the_tracks_that_have_any(waves: Waveforms) -> None:
    """Of two corpora one has labels: 10 of 30 training tracks."""
    waves.tracks["family"] = [f"f{i % 3}" if i < 10 else None for i in range(TRACKS)]
    spec = Crops(seconds=2, tags=("family",), label_share=0.5, batch_share=0.25)
    heard = stream(waves, spec)
    assert (heard.labelled < 10).all()
    assert len(heard.labelled) == 5
    step = heard.step(0)
    assert int(step["labels"].any(dim=1).sum()) == 5
    assert (places(step)[0][:, 0] >= 10).any()
    with pytest.raises(UserError, match=r"a share of 0\.01 of the tracks that have some and are long enough is none"):
        stream(waves, replace(spec, label_share=0.01))


def test_a_step_is_a_function_of_seed_and_t(waves: Waveforms) -> None:
    a, b = stream(waves, Crops(seconds=2)), stream(waves, Crops(seconds=2))
    assert torch.equal(a.step(7)["crops"], b.step(7)["crops"])
    assert not torch.equal(a.step(7)["crops"], a.step(8)["crops"])


@pytest.mark.parametrize("placement", ["random", "same", "adjacent", "disjoint"])
def test_crops_are_of_different_training_tracks_and_placed_as_asked(waves: Waveforms, placement: str) -> None:
    spec = Crops(count=3, seconds=2, placement=placement)
    starts = []
    for t in range(20):
        tracks, at = places(stream(waves, spec).step(t))
        assert (tracks == tracks[:, :1]).all()
        assert len(set(tracks[:, 0])) == 20
        assert tracks.max() < 30
        starts.append(at)
    starts = np.concatenate(starts)
    assert starts.min() >= 0
    assert starts.max() <= LENGTH - 20
    gaps = np.diff(np.sort(starts, axis=1), axis=1)
    assert {
        "random": gaps.min() < 20,
        "same": gaps.max() == 0,
        "adjacent": (gaps == 20).all(),
        "disjoint": gaps.min() >= 20 and gaps.max() > 20,
    }[placement]
    if placement in ("adjacent", "disjoint"):
        assert 0.3 < (starts[:, 0] < starts[:, 1]).mean() < 0.7, "the order is random too"


def test_the_last_crop_is_of_the_source_and_half_of_the_batches_hear_it(waves: Waveforms) -> None:
    everywhere = 0
    for t in range(60):
        heard = to_batch(stream(waves, Crops(seconds=2, sources=("drums",)), batch=10).step(t))
        assert (heard.crops[:, 0] >= 0).all()
        assert (heard.crops[:, 1] <= 0).all()
        everywhere += bool(heard.active.all())
    assert 15 < everywhere < 45


def test_labels_are_known_for_a_share_of_tracks_and_of_each_batch(waves: Waveforms) -> None:
    crops = stream(waves, Crops(seconds=2, tags=("family", "mode"), label_share=0.5, batch_share=0.25))
    seen = set()
    for t in range(40):
        heard = crops.step(t)
        known = heard["labels"].any(dim=1)
        assert int(known.sum()) == 5
        for track, row in zip(places(heard)[0][:, 0], heard["labels"].numpy(), strict=True):
            if row.any():
                seen.add(int(track))
                assert row.tolist() == [float(track % 3 == i) for i in range(3)] + [
                    float(track % 2 == i) for i in range(2)
                ]
    assert len(seen) == 15, "half of the 30 training tracks, always the same ones"


def test_tags_in_lists_are_multi_hot(waves: Waveforms) -> None:
    """MagnaTagATune's column: track r has the tags of the digits of r in binary; every fifth has none."""
    held = [[f"bit {b}" for b in range(6) if r >> b & 1] if r % 5 else [] for r in range(TRACKS)]
    listed = Waveforms(waves.tracks.assign(tags=held), waves.stems, RATE)
    crops = stream(listed, Crops(seconds=2, tags=("mode", "tags"), label_share=1.0, batch_share=1.0))
    assert crops.labels.shape[1] == 2 + 5, "bit 5 is of test tracks alone"
    heard = crops.step(0)
    for track, row in zip(places(heard)[0][:, 0], heard["labels"].numpy(), strict=True):
        bits = [float(bool(track >> b & 1 and track % 5)) for b in range(5)]
        assert row.tolist() == [float(track % 2 == i) for i in range(2)] + bits


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (Crops(count=3, seconds=4, placement="disjoint"), r"3 x 4 s do not fit .*10\.0 s"),
        (Crops(sources=("vocals",)), "no stem vocals; it has mix, drums"),
        (Crops(seconds=2, tags=("mood",)), "no tag mood"),
    ],
)
def test_what_the_corpus_lacks_is_named(waves: Waveforms, spec: Crops, says: str) -> None:
    with pytest.raises(UserError, match=says):
        stream(waves, spec)

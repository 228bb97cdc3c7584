"""Why the length of the warm-up decides whether tempo is learned: two trainings of one row, watched from within.

    python examples/warm_up.py results/reference --strategy simclr --warmups 5000,100000

Each training hears what a run's would (the same crops, views and seed); only the crops over which its learning rate
rises differ. Along the way it is asked what could explain a difference: is the gradient clipped, have weights grown
(those before a BatchNorm turn the more slowly the longer they are), by how many degrees have they turned, do channels
die, do the blocks that hear over seconds add anything to what the shorter ones pass on, has the embedding collapsed?
And what a ridge regression (scikit-learn's, on means and deviations of frames) reads from it on the validation tracks:
tempo, within 4 %, and the family of the instrument. The corpus has to be rendered (`data prepare`).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Annotated, Any

import lightning as L
import numpy as np
import torch
import typer
from heard import heard, run
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from benchmark import registry
from benchmark.audio.waveforms import Waveforms
from benchmark.cli.options import Data
from benchmark.modules import Encoder
from benchmark.pretraining.budget import PretrainConfig
from benchmark.pretraining.crops import CropStream
from benchmark.pretraining.monitor import monitors
from benchmark.pretraining.readout import settle_statistics
from benchmark.pretraining.train import Pretraining, fit
from tasks.kinds.tempo import tempo_hits
from tasks.tempo import Tempo

#: crops after which a training is looked at
EVERY = 25_000
#: clips of each split that the ridge regression sees
CLIPS = {"train": 2500, "val": 1000}
BLOCK, SAMPLE_RATE = 32, 16_000


class Watched(Pretraining):
    """A pre-training that remembers how long its gradients were."""

    def configure_gradient_clipping(self, *args: Any, **kwargs: Any) -> None:
        """Measure before anything is clipped."""
        self.norms.append(float(nn.utils.get_total_norm([p.grad for p in self.parameters() if p.grad is not None])))
        super().configure_gradient_clipping(*args, **kwargs)

    def on_fit_start(self) -> None:
        """Begin to remember."""
        self.norms: list[float] = []


class Watch(L.Callback):
    """Print a line every so many crops."""

    def __init__(self, waves: Waveforms, stream: CropStream, said: str) -> None:
        self.waves, self.stream, self.said, self.next = waves, stream, said, EVERY
        self.first: dict[str, Tensor] = {}
        self.last: dict[str, Tensor] = {}

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Keep the weights as they begin."""
        self.first = self.last = kernels(module)

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """Look, if it is time."""
        assert isinstance(module, Watched)
        heard = trainer.global_step * self.stream.heard
        if heard < self.next and trainer.global_step < self.stream.steps:
            return
        self.next += EVERY
        norms, losses = np.asarray(module.norms), torch.stack(module.curve[-len(module.norms) :])
        clip = module.config.gradient_clip or np.inf
        module.norms.clear()
        now, last, self.last = kernels(module), self.last, kernels(module)
        encoder = copy.deepcopy(module.strategy.encoder)
        settle_statistics(encoder, self.stream, "cpu")
        line = {
            "crops": f"{heard:,.0f}",
            "loss": f"{float(losses.mean()):.3f}",
            "gradient": f"{np.median(norms):.2f}",
            "clipped": f"{np.mean(norms > clip):.0%}",
            "grown": f"{grown(now, self.first):.2f}",
            "turned": f"{turned(now, last):.0f}",
            "turned_in_all": f"{turned(now, self.first):.0f}",
            **inside(encoder, self.waves),
            **read(encoder, self.waves),
        }
        typer.echo(f"{self.said:8} " + "  ".join(f"{name} {value}" for name, value in line.items()))


def kernels(module: L.LightningModule) -> dict[str, Tensor]:
    """Weights of the encoder that a BatchNorm follows: their length tells nothing but how slowly they turn."""
    assert isinstance(module, Watched)
    named = module.strategy.encoder.named_parameters()
    return {name: x.detach().clone() for name, x in named if x.ndim == 4}


def grown(now: dict[str, Tensor], before: dict[str, Tensor]) -> float:
    """How much longer the kernels are, as a factor (geometric mean)."""
    return float(torch.stack([(now[name].norm() / x.norm()).log() for name, x in before.items()]).mean().exp())


def turned(now: dict[str, Tensor], before: dict[str, Tensor]) -> float:
    """The mean angle between kernels now and then, in degrees."""
    cosines = [torch.cosine_similarity(now[name].flatten(), x.flatten(), dim=0) for name, x in before.items()]
    return float(torch.rad2deg(torch.stack(cosines).arccos()).mean())


@torch.no_grad()
def inside(encoder: Encoder, waves: Waveforms) -> dict[str, str]:
    """Of each residual block, by 64 validation tracks: channels that are never above zero, and what it adds.

    What it adds is the variance of its residual branch over that of what it passes on.
    """
    blocks: Any = encoder.blocks
    dead, adds = [], []

    def look(block: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        middle = block.layers[:3](inputs[0])
        dead.append(float((middle.amax(dim=(0, 2, 3)) <= 0).float().mean()))
        adds.append(float(block.layers(inputs[0]).var() / output.var()))

    hooks = [block.register_forward_hook(look) for block in blocks]
    encoder.eval()
    encoder(clips(waves, "val")[1][:64])
    for hook in hooks:
        hook.remove()
    return {"dead": "/".join(f"{x:.2f}" for x in dead), "adds": "/".join(f"{x:.2f}" for x in adds)}


@torch.no_grad()
def read(encoder: Encoder, waves: Waveforms) -> dict[str, str]:
    """What a ridge regression reads on validation, and the effective rank there."""
    encoder.eval()
    x, rows = {}, {}
    for split in CLIPS:
        rows[split], sound = clips(waves, split)
        frames = [encoder(part) for part in sound.split(BLOCK)]
        x[split] = torch.cat([torch.cat([f.mean(1), f.std(1)], dim=1) for f in frames]).numpy()
    tracks, tempo = waves.tracks, Tempo()
    bins = {split: np.asarray(tempo.targets(tracks.iloc[rows[split]])) for split in CLIPS}
    estimated = tempo.bins[ridge(x, bins["train"])]
    hits = tempo_hits(tracks["tempo"].to_numpy(float)[rows["val"]], estimated)
    family = tracks["family"].to_numpy(str)
    right = ridge(x, family[rows["train"]]) == family[rows["val"]]
    rank = monitors(torch.from_numpy(x["val"]))["effective_rank"]
    return {"rank": f"{rank:.0f}", "tempo": f"{hits.mean():.2f}", "instrument": f"{right.mean():.2f}"}


def ridge(x: dict[str, NDArray[np.float32]], labels: NDArray[Any]) -> NDArray[Any]:
    """Predictions for the validation tracks."""
    model = make_pipeline(StandardScaler(), RidgeClassifierCV(10.0 ** np.arange(0, 5)))
    predicted: NDArray[Any] = model.fit(x["train"], labels).predict(x["val"])
    return predicted


def clips(waves: Waveforms, split: str) -> tuple[NDArray[np.int64], Tensor]:
    """The first tracks of a split: their rows and (N, samples) audio."""
    known = (waves.tracks["split"] == split) & waves.tracks["tempo"].notna() & waves.tracks["family"].notna()
    rows = np.flatnonzero(known)[: CLIPS[split]]
    length = int(waves.tracks["length"].to_numpy()[rows].min())
    sound = waves.crops(rows, np.zeros(len(rows), np.int64), length)
    return rows, torch.from_numpy(sound).float() / 32768


def main(
    results: Annotated[Path, typer.Argument(help="A results folder, whose corpus is heard.")],
    strategy: Annotated[str, typer.Option(help="A pretext task.")] = "simclr",
    options: Annotated[str, typer.Option(help="Of it, as JSON, if not its defaults.")] = "{}",
    warmups: Annotated[str, typer.Option(help="Comma-separated numbers of crops.")] = "5000,100000",
    crops: Annotated[int, typer.Option(help="Of each training.")] = 125_000,
    seed: Annotated[int, typer.Option(help="Of crops and views.")] = 0,
    clip: Annotated[float, typer.Option(help="The gradient's largest norm; 0: none.")] = 1.0,
    rate: Annotated[float | None, typer.Option(help="The learning rate, if not the strategy's own.")] = None,
    corpus: Annotated[str, typer.Option(help="What is heard.")] = "rendered_scores",
    data_dir: Data = None,
) -> None:
    """Train with each warm-up, and watch."""
    waves = Waveforms.open(heard(results, corpus, data_dir), SAMPLE_RATE)
    cls = registry.strategies.get(strategy)
    for warmup in warmups.split(","):
        torch.manual_seed(seed)
        model: Any = cls(registry.encoders.get("cnn_small")(), cls.Config.model_validate_json(options))
        config = PretrainConfig(
            crops=crops, warmup_crops=int(warmup), schedule="wsd", gradient_clip=clip or None, learning_rate=rate
        )
        stream = CropStream(waves, model.crops(model.config), config, seed)
        model.step_crops = stream.heard
        module = Watched(model, config, seed, stream.steps)
        fit(module, stream, "cpu", [Watch(waves, stream, f"{int(warmup):,}")])


if __name__ == "__main__":
    run(main)

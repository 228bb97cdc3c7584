"""Conformance checks that every strategy and every encoder passes, built-in or a plugin's: call them in your tests.

They return nothing, or raise AssertionError: what is broken, and what the contract (benchmark/modules.py) says. They
need no pytest, no data and no GPU, and `python -O` silences none of them.
"""

from __future__ import annotations

import copy
import math
import re

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from benchmark import registry
from benchmark.interfaces import Config, Info
from benchmark.modules import Batch, Crops, Encoder, Strategy

#: examples of the batch that strategies are tried on
SIZE = 8
#: share of the encoder's parameters that must be reached by a gradient
REACHED = 0.9


def check_strategy(cls: type[Strategy], encoder_cls: type[Encoder] | None = None, config: Config | None = None) -> None:
    """Check that `cls` keeps the contract of Strategy, on a batch of noisy tones.

    Metadata, options and crops of all; of strategies that train also: views follow from the generator alone; all views
    and embeddings are (B, ...); the loss is a finite float32 scalar, also under bf16 autocast, and the same in any
    order of the batch; its gradients are finite and reach the encoder, which a training step changes; the state dict
    holds the whole state.

    Args:
        cls: the class, not an instance.
        encoder_cls: the encoder to try it with; by default `cnn_small`, or the first one that offers what it needs.
        config: its options; by default `cls.Config()`.

    Raises:
        AssertionError: the contract is broken.
    """
    name = _check_info(cls)
    config = _check_config(name, cls, config)
    spec = _check_crops(name, cls, config)
    if not cls.trains:
        return
    encoder_cls = encoder_cls or _encoder_for(name, cls)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = encoder_cls()
        strategy = cls(encoder, config)
        _require(strategy.encoder is encoder, f"{name}: `encoder` is not the one given; its weights are what is kept")
        views = _check_views(name, strategy, random_batch(spec, encoder.sample_rate))
        _check_loss(name, strategy, views)
        _check_order(name, strategy, views)
        _check_step(name, strategy, views)
        _check_state(name, strategy, cls(encoder_cls(), config), views)


def check_encoder(cls: type[Encoder]) -> None:
    """Check that `cls` keeps the contract of Encoder: shapes, frame rate, precision, evaluation mode and gradients.

    Raises:
        AssertionError: the contract is broken.
    """
    name = _check_info(cls)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = cls()
        waveform = random_batch(Crops(count=1, seconds=1.0), encoder.sample_rate, size=2).crops[:, 0]
        _check_shapes(name, encoder, waveform)
        _check_precision(name, encoder, waveform)
        _check_evaluation(name, encoder, waveform)
        if cls.offers and any(p.requires_grad for p in encoder.parameters()):
            frames = encoder.train()(waveform)
            (frames * torch.randn_like(frames)).sum().backward()
            _check_gradients(name, encoder)


def random_batch(spec: Crops, sample_rate: int, size: int = SIZE, seed: int = 0) -> Batch:
    """What a strategy hears, made up: tones in noise, each track with its own pitch and level.

    Each of the `spec.tags` has three classes, known for `spec.batch_share` of the batch; with `spec.sources`, the drawn
    one sounds in every second track.
    """
    generator = torch.Generator().manual_seed(seed)
    pitch = 110 * 2 ** (4 * torch.rand(size, 1, 1, generator=generator))
    level = 0.02 + 0.4 * torch.rand(size, 1, 1, generator=generator)
    seconds = torch.arange(round(spec.seconds * sample_rate)) / sample_rate
    noise = torch.randn(size, spec.count, len(seconds), generator=generator)
    classes = torch.randint(3, (size, len(spec.tags)), generator=generator)
    known = (torch.arange(size) < round(spec.batch_share * size)).float()
    return Batch(
        crops=level * (torch.sin(2 * torch.pi * pitch * seconds) + 0.1 * noise).clamp(-1, 1),
        active=torch.arange(size) % (2 if spec.sources else 1) == 0,
        labels=nn.functional.one_hot(classes, 3).flatten(1).float() * known[:, None],
    )


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _check_info(cls: type[Strategy] | type[Encoder]) -> str:
    info = getattr(cls, "info", None)
    if not isinstance(info, Info):
        raise AssertionError(f"{cls.__name__}: `info` is {info!r}; it must be a benchmark.interfaces.Info")
    pattern = r"[a-z][a-z0-9_]*"
    _require(bool(re.fullmatch(pattern, info.name)), f"{cls.__name__}: the name {info.name!r} does not match {pattern}")
    for field in ("title", "citation"):
        _require(bool(getattr(info, field).strip()), f"{info.name}: info.{field} is empty; the leaderboard shows it")
    return info.name


def _check_config(name: str, cls: type[Strategy], config: Config | None) -> Config:
    _require(issubclass(cls.Config, Config), f"{name}: Config must be a subclass of benchmark.interfaces.Config")
    _require(bool(cls.Config.model_config.get("frozen")), f"{name}: Config is not frozen; a run's options never change")
    try:
        config = cls.Config() if config is None else config
    except ValidationError as error:
        raise AssertionError(f"{name}: options without default; pass `config` to the check: {error}") from error
    try:
        cls.Config.model_validate({**config.model_dump(), "no_such_option": 0})
    except ValidationError:
        return config
    raise AssertionError(f"{name}: Config accepts the unknown key 'no_such_option'; it must forbid unknown keys")


def _check_crops(name: str, cls: type[Strategy], config: Config) -> Crops:
    try:
        spec = cls.crops(config)
    except ValueError as error:
        raise AssertionError(f"{name}: crops(config) asks for {error}") from error
    _require(isinstance(spec, Crops), f"{name}: crops(config) is {spec!r}; it must be a benchmark.modules.Crops")
    _require(spec.seconds < 60, f"{name}: crops(config) asks for seconds = {spec.seconds}, which no track lasts")
    return spec


def _encoder_for(name: str, cls: type[Strategy]) -> type[Encoder]:
    for candidate in ("cnn_small", *registry.encoders.names()):
        encoder_cls: type[Encoder] = registry.encoders.get(candidate)
        if encoder_cls.offers >= cls.needs:
            return encoder_cls
    raise AssertionError(f"{name}: no registered encoder offers {', '.join(sorted(cls.needs))}; pass `encoder_cls`")


def _check_rows(name: str, what: str, tensors: dict[str, Tensor]) -> None:
    _require(bool(tensors), f"{name}: there are no {what}s")
    for key, x in tensors.items():
        _require(isinstance(x, Tensor), f"{name}: the {what} {key!r} is a {type(x).__name__}, not a Tensor")
        shape = tuple(x.shape)
        good = shape[:1] == (SIZE,)
        _require(good, f"{name}: the {what} {key!r} has shape {shape} for {SIZE} tracks; it must be (B, ...)")


def _check_views(name: str, strategy: Strategy, batch: Batch) -> dict[str, Tensor]:
    before = copy.deepcopy(batch)
    views = strategy.views(batch, torch.Generator().manual_seed(1))
    _check_rows(name, "view", views)
    for field, old in vars(before).items():
        same = old is None or torch.equal(getattr(batch, field), old)
        _require(same, f"{name}: views() changes batch.{field} in place")
    torch.manual_seed(2)  # another global state: whoever draws from it is found out
    for key, again in strategy.views(batch, torch.Generator().manual_seed(1)).items():
        same = torch.equal(views[key], again)
        _require(same, f"{name}: the view {key!r} differs for one seed; views() must draw from its generator alone")
    return {key: view.detach() for key, view in views.items()}


def _check_loss(name: str, strategy: Strategy, views: dict[str, Tensor]) -> None:
    for precision in (torch.float32, torch.bfloat16):
        trial = copy.deepcopy(strategy)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            embeddings = trial.embed(views)
            _check_rows(name, "embedding", embeddings)
            loss = trial.loss(embeddings)["loss"]
        where = "" if precision == torch.float32 else " under bf16 autocast"
        _require(loss.ndim == 0, f"{name}: the loss{where} has shape {tuple(loss.shape)}; it must be a scalar")
        _require(
            loss.dtype == torch.float32,
            f"{name}: the loss{where} is {loss.dtype}; losses switch autocast off and compute on x.float()",
        )
        _require(bool(loss.isfinite()), f"{name}: the loss{where} is {loss.item()}; it must be finite")


def _check_order(name: str, strategy: Strategy, views: dict[str, Tensor]) -> None:
    order = torch.randperm(SIZE, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        embeddings = copy.deepcopy(strategy).embed(views)
        value = copy.deepcopy(strategy).loss(embeddings)["loss"].item()
        other = copy.deepcopy(strategy).loss({key: x[order] for key, x in embeddings.items()})["loss"].item()
    same = _near(value, other, 1e-4)
    _require(same, f"{name}: the loss depends on the order of the batch: {value} and {other} in another order")


def _check_step(name: str, strategy: Strategy, views: dict[str, Tensor]) -> None:
    before = copy.deepcopy(strategy.encoder.state_dict())
    optimizer = torch.optim.AdamW([p for p in strategy.parameters() if p.requires_grad], lr=strategy.learning_rate)
    strategy.loss(strategy.embed(views))["loss"].backward()  # type: ignore[no-untyped-call]
    _check_gradients(name, strategy.encoder)
    optimizer.step()
    strategy.step_crops = strategy.crops(strategy.config).heard(SIZE)
    strategy.after_step(1, 10)
    moved = any(not torch.equal(p, before[key]) for key, p in strategy.encoder.named_parameters())
    _require(moved, f"{name}: a training step leaves the encoder as it is; parameters() must hold its parameters")
    for key, x in strategy.state_dict().items():
        _require(bool(x.isfinite().all()), f"{name}: {key} is not finite after a training step")


def _check_gradients(name: str, encoder: Encoder) -> None:
    gradients = {key: p.grad for key, p in encoder.named_parameters() if p.requires_grad}
    for key, gradient in gradients.items():
        finite = gradient is None or bool(gradient.isfinite().all())
        _require(finite, f"{name}: the gradient of the encoder's {key} is not finite")
    unreached = [key for key, gradient in gradients.items() if gradient is None or not gradient.any()]
    _require(
        len(gradients) > 0 and len(unreached) <= (1 - REACHED) * len(gradients),
        f"{name}: {len(unreached)} of the encoder's {len(gradients)} parameters get no gradient "
        f"({', '.join(unreached[:3])}); at least {REACHED:.0%} must",
    )


def _check_state(name: str, strategy: Strategy, fresh: Strategy, views: dict[str, Tensor]) -> None:
    try:
        fresh.load_state_dict(strategy.state_dict())
    except RuntimeError as error:
        raise AssertionError(f"{name}: its state dict does not load into a new instance: {error}") from error
    torch.manual_seed(4)
    value = _value(strategy, views)
    torch.manual_seed(4)
    restored = _value(fresh, views)
    _require(
        _near(value, restored, 1e-5),
        f"{name}: restored from its state dict, the loss is {restored}, not {value}; state that a step changes must be "
        "parameters or persistent buffers",
    )


@torch.no_grad()
def _check_shapes(name: str, encoder: Encoder, waveform: Tensor) -> None:
    features, frames = encoder.features(waveform), encoder(waveform)
    _require(features.ndim == 3, f"{name}: features are {tuple(features.shape)}; they must be (B, bands, frames)")
    expected = (len(waveform), frames.shape[1], encoder.embedding_dim)
    _require(frames.shape == expected, f"{name}: frames are {tuple(frames.shape)}; they must be {expected}, (B, F, D)")
    _require(bool(frames.isfinite().all()), f"{name}: frames are not finite")
    _check_shortest(name, encoder, waveform)
    more = encoder(waveform[:1].repeat(1, 6)).shape[1] - frames.shape[1]
    said = 5 * waveform.shape[1] / encoder.sample_rate * encoder.frame_rate
    _require(abs(more - said) <= 1, f"{name}: 5 s more of audio give {more} frames more; frame_rate says {said}")


def _check_shortest(name: str, encoder: Encoder, waveform: Tensor) -> None:
    """`shortest` samples are enough; nothing below 50 ms is ever heard."""
    shortest = max(encoder.shortest, math.ceil(0.05 * encoder.sample_rate))
    heard = waveform.repeat(1, -(-shortest // waveform.shape[1]))[:, :shortest]
    try:
        frames = encoder.eval()(heard)
    except (RuntimeError, IndexError, ValueError) as error:
        frames, said = heard[:, :0], f" ({error})"
    else:
        said = ""
    finite = frames.shape[1] > 0 and bool(frames.isfinite().all())
    _require(finite, f"{name}: no frame comes of {shortest} samples; declare in `shortest` how many it needs{said}")


@torch.no_grad()
def _check_precision(name: str, encoder: Encoder, waveform: Tensor) -> None:
    features = encoder.features(waveform)
    with torch.autocast("cpu", torch.bfloat16):
        lowered = encoder.features(waveform)
    for where, x in (("", features), (" under bf16 autocast", lowered)):
        _require(x.dtype == torch.float32, f"{name}: features{where} are {x.dtype}; the front end must stay in float32")


@torch.no_grad()
def _check_evaluation(name: str, encoder: Encoder, waveform: Tensor) -> None:
    encoder.eval()
    # beside one that is much louder: levels relative to the loudest of a batch are a common slip
    waveform = torch.cat([1e-3 * waveform[:1], waveform[1:]])
    frames, again, alone = encoder(waveform), encoder(waveform), encoder(waveform[:1])
    parts = encoder.body(encoder.features(waveform))
    _require(torch.equal(frames, again), f"{name}: in evaluation mode, two passes differ; it must be deterministic")
    _require(torch.equal(frames, parts), f"{name}: forward is not body(features(waveform))")
    gap = float((frames[:1] - alone).norm() / alone.norm().clamp(min=1e-12))
    _require(gap < 1e-3, f"{name}: in evaluation mode, frames depend on the other clips of the batch (by {gap:.0e})")


@torch.no_grad()
def _value(strategy: Strategy, views: dict[str, Tensor]) -> float:
    return strategy.loss(strategy.embed(views))["loss"].item()


def _near(a: float, b: float, tolerance: float) -> bool:
    return abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-6)

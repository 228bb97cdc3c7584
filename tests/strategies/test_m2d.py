"""M2D against a slow twin of its released step: whose patches, whose weights, which targets, which positions count."""

from __future__ import annotations

from typing import Any

import pytest
import slow_losses as slow
import torch
from torch import Tensor

from benchmark.encoders.cnn_small import CNNSmall
from benchmark.encoders.cqt_cnn import CQTCNN
from benchmark.encoders.vit import ViT, positions
from benchmark.modules import Encoder
from benchmark.scheduler.preflight import try_strategy
from benchmark.testing import random_batch
from strategies.losses import byol_regression, clip_standardized, standardized, token_standardized
from strategies.m2d import M2D, M2DConfig
from strategies.masks import Decoder, hidden_frames, kept_tokens, patch_noise, picture_mask


def _strategy(encoder: type[Encoder] = ViT, seed: int = 0, **options: Any) -> M2D:
    torch.manual_seed(seed)
    made = ViT(24, 2, 2) if encoder is ViT else encoder()
    return M2D(made, M2DConfig.model_validate({"seconds": 1.0, "predictor_width": 16, **options}))


def _views(strategy: M2D, seed: int = 0) -> dict[str, Tensor]:
    batch = random_batch(strategy.crops(strategy.config), strategy.encoder.sample_rate, seed=seed)
    return strategy.views(batch, torch.Generator().manual_seed(seed))


def _slow_step(strategy: M2D, features: Tensor, noise: Tensor) -> Tensor:
    """The released step, clip by clip and token by token, without the class token, which our ViT has not."""
    encoder, teacher, predictor = strategy.encoder, strategy.teacher, strategy.predictor
    assert isinstance(encoder, ViT)
    assert isinstance(teacher, ViT)
    assert isinstance(predictor, Decoder)
    rows, columns = features.shape[1] // 16, features.shape[2] // 16
    where = positions(rows, columns, 24)
    terms = []
    for picture, order in zip(features, noise, strict=True):
        patches = [picture[16 * r : 16 * r + 16, 16 * c : 16 * c + 16] for c in range(columns) for r in range(rows)]
        tokens = [encoder.embed(patch.flatten()) + at for patch, at in zip(patches, where, strict=True)]
        ranked = sorted(range(len(tokens)), key=lambda i: float(order[i]))
        visible = sorted(ranked[: len(tokens) - round(0.7 * len(tokens))])
        masked = [i for i in range(len(tokens)) if i not in visible]
        seen = encoder.norm(encoder.blocks(torch.stack([tokens[i] for i in visible])[None]))[0]
        line = [predictor.mask_token for _ in tokens]
        for i, token in zip(visible, seen, strict=True):
            line[i] = predictor.inward(token)
        drawn = predictor.outward(predictor.blocks((torch.stack(line) + positions(rows, columns, 16))[None]))[0]
        with torch.no_grad():
            told = teacher.norm(teacher.blocks(torch.stack([tokens[i] for i in masked])[None]))[0]
        terms.append(slow.m2d(torch.stack([drawn[i] for i in masked]), told, None))
    return torch.stack(terms).mean()


def test_value_and_gradient_are_the_releases() -> None:
    strategy = _strategy()
    views = {name: x.double() for name, x in _views(strategy).items()}
    strategy.double()
    ours, twin = strategy.loss(strategy.embed(views))["loss"], _slow_step(strategy, views["features"], views["noise"])
    learned = [p for p in strategy.parameters() if p.requires_grad]
    pairs = list(
        zip(
            torch.autograd.grad(ours, learned, allow_unused=True),
            torch.autograd.grad(twin, learned, allow_unused=True),
            strict=True,
        )
    )
    assert all(a is not None and b is not None for a, b in pairs), "student and predictor learn, all of them"
    gap = max(float((a - b).norm() / b.norm().clamp(min=1e-12)) for a, b in pairs)
    print(f"loss {ours.item():.6f}, twin {twin.item():.6f}, largest gap of a gradient {gap:.1e}")
    assert ours.item() == pytest.approx(twin.item(), rel=1e-9)
    assert gap < 1e-6


def test_the_two_forms_of_target_pull_in_other_directions() -> None:
    """The audit found a cosine of .32 between their gradients, on a batch of its own."""
    cosines = []
    for seed in range(3):
        torch.manual_seed(seed)
        strategy = M2D(ViT(), M2DConfig())
        embeddings = strategy.embed(_views(strategy, seed))
        gradients = []
        for form in (token_standardized, standardized):
            predicted = embeddings["predicted"].detach().requires_grad_()
            byol_regression(predicted, form(embeddings["target"])).backward()  # type: ignore[no-untyped-call]
            assert predicted.grad is not None
            gradients.append(predicted.grad.flatten())
        cosines.append(float(torch.cosine_similarity(*gradients, dim=0)))
    print(f"gradient cosines {[round(c, 2) for c in cosines]}, audit .32")
    assert sum(cosines) / 3 == pytest.approx(0.32, abs=0.15)


def test_the_option_chooses_the_form() -> None:
    token, batch = _strategy(), _strategy(targets="batch")
    embeddings = token.embed(_views(token))
    predicted, target = embeddings["predicted"], embeddings["target"]
    assert token.loss(embeddings)["loss"].item() == byol_regression(predicted, token_standardized(target)).item()
    assert batch.loss(embeddings)["loss"].item() == byol_regression(predicted, standardized(target)).item()


def test_targets_by_clip_have_nothing_that_does_not_change_in_it() -> None:
    """What is the same in all of a clip's positions, however large and different between clips, leaves no trace."""
    changing, still = torch.randn(4, 30, 5, dtype=torch.float64), 9 * torch.randn(4, 1, 5, dtype=torch.float64)
    found = clip_standardized(changing + still)
    torch.testing.assert_close(found, clip_standardized(changing))
    torch.testing.assert_close(found.mean(dim=1), torch.zeros(4, 5, dtype=torch.float64))
    torch.testing.assert_close(found.var(dim=1, correction=0), torch.ones(4, 5, dtype=torch.float64), atol=1e-3, rtol=0)
    clip = _strategy(CNNSmall, targets="clip")
    embeddings = clip.embed(_views(clip))
    moved = embeddings | {"target": embeddings["target"] + 9 * torch.randn(len(embeddings["target"]), 1, 192)}
    assert clip.loss(moved)["loss"].item() == pytest.approx(clip.loss(embeddings)["loss"].item(), rel=1e-3)


def test_each_token_has_no_mean_and_unit_variance() -> None:
    target = token_standardized(3 + 5 * torch.randn(4, 7, 50, dtype=torch.float64))
    torch.testing.assert_close(target.mean(dim=-1), torch.zeros(4, 7, dtype=torch.float64))
    torch.testing.assert_close(target.var(dim=-1), torch.ones(4, 7, dtype=torch.float64))


@pytest.mark.parametrize("encoder", [ViT, CNNSmall])
def test_the_teacher_starts_from_weights_of_its_own(encoder: type[Encoder]) -> None:
    strategy = _strategy(encoder)
    for name, student in strategy.encoder.named_parameters():
        teacher = strategy.teacher.get_parameter(name)
        assert torch.equal(student.flatten().sort().values, teacher.flatten().sort().values), "of one distribution"
        if student.ndim > 1:
            both = torch.stack([student.detach().flatten(), teacher.flatten()])
            assert abs(float(both.corrcoef()[0, 1])) < 5 / student.numel() ** 0.5, name
    assert not any(p.requires_grad for p in strategy.teacher.parameters())


def test_what_a_preset_would_fill_is_not_to_be_predicted_unless_asked() -> None:
    """Without gain, noise and filter, a view is the crop up to its sign, bands and frames all there."""
    still: dict[str, Any] = {"preset": "pretext", "gain_db": 0.0, "noise_p": 0.0, "filter_p": 0.0}
    plain, asked = (_strategy(CNNSmall, **still, **more) for more in ({}, {"mask_frequency": 0.5, "mask_time": 0.5}))
    batch = random_batch(plain.crops(plain.config), plain.encoder.sample_rate, 6)
    whole = plain.encoder.features(batch.crops[:, 0])
    view, holed = (each.views(batch, torch.Generator().manual_seed(0))["features"] for each in (plain, asked))
    torch.testing.assert_close(view, whole, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(holed, whole, atol=0.1)


def test_the_student_embeds_the_patches_of_both() -> None:
    def target(whose: str) -> Tensor:
        strategy = _strategy()
        with torch.no_grad():
            strategy.get_submodule(whose).embed.weight.mul_(2)
        return strategy.embed(_views(strategy))["target"]

    plain = _strategy()
    expected = plain.embed(_views(plain))["target"]
    assert torch.equal(target("teacher"), expected)
    assert not torch.allclose(target("encoder"), expected)


def test_the_papers_depth_is_an_option() -> None:
    deep = _strategy(predictor_depth=8)
    assert isinstance(deep.predictor, Decoder)
    assert len(deep.predictor.blocks) == 8 + 1, "and a norm"


def test_frames_count_whose_column_is_hidden() -> None:
    """Of 151 columns of features, 16 to 31 and 144 to 150 are hidden in all bands, 32 to 47 but for one patch."""
    mask = torch.zeros(2, 64, 151, dtype=torch.bool)
    mask[0, :, 16:32] = mask[0, :, 144:] = True
    mask[0, 16:, 32:48] = True
    counts = hidden_frames(mask, 76, 2)
    assert counts[0].nonzero().flatten().tolist() == [*range(8, 16), 72, 73, 74, 75]
    assert not counts[1].any()


def test_how_many_frames_of_a_cnn_count() -> None:
    """28 of 40 patches are hidden: all four of a column in C(36, 24) / C(40, 28) = 22.4 % of the draws."""
    features = torch.zeros(512, 64, 151)
    noise = patch_noise(features, CNNSmall(), torch.Generator().manual_seed(0))
    share = float(hidden_frames(picture_mask(noise, 0.7, features), 76, 2).float().mean())
    print(f"share of frames that count: {share:.4f}, expected .2240")
    assert share == pytest.approx(0.224, abs=0.01)


def test_all_frames_may_count_since_what_the_teacher_sees_is_hidden_from_the_student() -> None:
    """Change what one sees, and the other's output stays as it is, to the bit, but for the mean that fills the gaps."""
    strategy = _strategy(CNNSmall, seconds=3.0, frames="all")
    views = _views(strategy)
    embeddings = strategy.embed(views)
    assert "mask" not in embeddings
    twin = slow.m2d(embeddings["predicted"].double(), embeddings["target"].double(), None)
    assert strategy.loss(embeddings)["loss"].item() == pytest.approx(twin.item(), rel=1e-5)
    features = views["features"]
    mask = picture_mask(views["noise"], strategy.config.masked, features)
    noise = torch.randn_like(features)
    other = torch.where(
        mask, noise - noise.where(mask, 0).sum((1, 2), keepdim=True) / mask.sum((1, 2), keepdim=True), 0
    )
    changed = strategy.embed(views | {"features": features + other})
    torch.testing.assert_close(changed["predicted"], embeddings["predicted"], atol=1e-3, rtol=1e-3)
    assert (changed["target"] - embeddings["target"]).abs().max() > 0.1


def test_on_a_cnn_the_loss_hears_of_no_other_frame() -> None:
    strategy = _strategy(CNNSmall, seconds=3.0)
    embeddings = strategy.embed(_views(strategy))
    mask, target = embeddings["mask"], embeddings["target"]
    assert mask.any()
    assert not mask.all()
    loss = strategy.loss(embeddings)["loss"].item()
    met = embeddings["predicted"].detach()  # a target that the prediction would meet
    elsewhere = torch.where(mask[..., None], target, met)
    assert strategy.loss({**embeddings, "target": elsewhere})["loss"].item() == loss
    assert strategy.loss({**embeddings, "target": met})["loss"].item() < loss - 1
    twin = slow.m2d(embeddings["predicted"].double(), target.double(), mask)
    assert loss == pytest.approx(twin.item(), rel=1e-5)


def test_a_batch_in_which_nothing_counts_moves_nothing() -> None:
    strategy = _strategy(CNNSmall, masked=0.4)
    views = _views(strategy)
    views["noise"] = torch.arange(views["noise"].shape[1]).expand_as(views["noise"]) / 1e3  # the upper rows are hidden
    loss = strategy.loss(strategy.embed(views))["loss"]
    assert loss.item() == 0
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and not p.grad.any() for p in strategy.encoder.parameters())


def test_so_many_bands_that_no_frame_is_hidden_are_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"cqt_cnn's 296 bands all are hidden in 0\.11% of the frames.*frames: all"):
        _strategy(CQTCNN)
    try_strategy(_strategy(CQTCNN, frames="all"), "32-true", "cpu")


def test_what_is_hidden_is_the_papers_share() -> None:
    kept, dropped = kept_tokens(torch.rand(3, 90), 0.7)
    assert (kept.shape[1], dropped.shape[1]) == (27, 63)

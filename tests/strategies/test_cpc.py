"""CPC's softmax: over the true steps (van den Oord et al. 2018), or over the predictions (Choi et al.'s code)."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from benchmark.encoders.cnn_small import CNNSmall
from benchmark.scheduler.grid_files import load
from benchmark.scheduler.planning.rows import rows
from strategies.cpc import CPC, CPCConfig

AXES = ("predictions", "steps")


def _embeddings(size: int = 16, dim: int = 128) -> dict[str, Tensor]:
    """Four steps of past, two of future, and predictions that know something of the future."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(size, 6, dim, generator=generator, dtype=torch.float64)
    predicted = z[:, 4:] + 0.7 * torch.randn(size, 2, dim, generator=generator, dtype=torch.float64)
    return {"z": z.requires_grad_(), "predicted": predicted.requires_grad_()}


def _slow(embeddings: dict[str, Tensor], anchors: str, temperature: float = 0.1) -> Tensor:
    """The matrix of the released code, a row per true step and a column per prediction, softmaxed along either side."""
    terms = []
    for k in range(2):
        truth, guess = embeddings["z"][:, 4 + k], embeddings["predicted"][:, k]
        rows = [[x @ y / (x.norm() * y.norm()) / temperature for y in guess] for x in truth]
        for i in range(len(truth)):
            line = rows[i] if anchors == "steps" else [row[i] for row in rows]
            terms.append(torch.stack(line).exp().sum().log() - rows[i][i])
    return torch.stack(terms).mean()


def _loss(embeddings: dict[str, Tensor], anchors: str) -> Tensor:
    return CPC(CNNSmall(), CPCConfig(future=2, anchors=anchors)).loss(embeddings)["loss"]


def _gradient(loss: Tensor, embeddings: dict[str, Tensor]) -> Tensor:
    gradients = torch.autograd.grad(loss, [embeddings["z"], embeddings["predicted"]])
    return torch.cat([gradient.flatten() for gradient in gradients])


@pytest.mark.parametrize("anchors", AXES)
def test_each_axis_is_its_slow_twin(anchors: str) -> None:
    embeddings = _embeddings()
    fast, slow = _loss(embeddings, anchors), _slow(embeddings, anchors)
    torch.testing.assert_close(fast, slow)
    torch.testing.assert_close(_gradient(fast, embeddings), _gradient(slow, embeddings))


def test_the_axes_are_near_but_not_the_same() -> None:
    """Measured between our loss and the released one, on other embeddings: gradient cosine .996."""
    embeddings = _embeddings(size=256)
    one, two = (_gradient(_loss(embeddings, anchors), embeddings) for anchors in AXES)
    assert float(one @ two / (one.norm() * two.norm())) == pytest.approx(0.996, abs=0.002)


def test_each_grid_has_its_papers_axis() -> None:
    found = {row.name: row.config.anchors for row in rows(load("choi")) if row.cls is CPC}
    assert found == {"cpc": "steps", "cpc_within": "predictions"}
    assert CPCConfig().anchors == "predictions"


def test_an_axis_that_negatives_within_a_track_do_not_have_is_refused() -> None:
    with pytest.raises(ValidationError, match="use negatives 'between'"):
        CPCConfig(negatives="within", anchors="steps")

"""An encoder as TorchScript, which runs without this package: (B, T) waveforms to (B, F, D) frames.

There is no ONNX: torch needs two more packages to write it.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from benchmark.interfaces import UserError
from benchmark.modules import Encoder
from benchmark.probing.embed import WINDOW_SECONDS

#: by how much frames may differ
TOLERANCE = 1e-4
#: number of waveforms and their seconds that a trace is tried on, beside what it is made of: neither may be fixed in it
_TRIED = ((1, 2.0), (9, 1.1), (1, WINDOW_SECONDS))
_MADE_OF = (2, 1.5)


def script(encoder: Encoder) -> torch.jit.ScriptModule:
    """Trace an encoder, and try the trace on other lengths and numbers of waveforms.

    Raises:
        UserError: it cannot be traced, or the trace gives other frames.
    """
    name = encoder.info.name
    encoder = encoder.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # torch would rather have torch.export, whose files no other language reads; and of numbers that follow
            # from shapes it warns that they may be fixed, which is tried below
            warnings.simplefilter("ignore")
            traced: torch.jit.ScriptModule = torch.jit.trace(  # type: ignore[no-untyped-call]
                encoder, _noise(encoder, *_MADE_OF), check_trace=False
            )
            worst = max(_difference(encoder, traced, _noise(encoder, *tried)) for tried in (_MADE_OF, *_TRIED))
    except RuntimeError as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"{name} cannot be written as TorchScript ({reason}); its weights can, without it") from error
    if not worst <= TOLERANCE:
        raise UserError(
            f"{name} cannot be written as TorchScript: the trace gives other frames; its weights can, without it"
        )
    return traced


def _difference(encoder: Encoder, traced: torch.nn.Module, audio: Tensor) -> float:
    """The largest one between any two numbers; infinite where there are not as many."""
    ours, theirs = encoder(audio), traced(audio)
    return float((ours - theirs).abs().max()) if ours.shape == theirs.shape else float("inf")


def _noise(encoder: Encoder, count: int, seconds: float) -> Tensor:
    samples = max(encoder.shortest, round(seconds * encoder.sample_rate))
    return 0.1 * torch.randn(count, samples, generator=torch.Generator().manual_seed(0))

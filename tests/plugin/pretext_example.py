"""Alignment and uniformity: a third party's pretext task, in one file (Wang & Isola 2020)."""

import torch
from torch.nn import functional as F

from benchmark.interfaces import Info
from benchmark.modules import Strategy


class Alignment(Strategy):
    """Two crops of a track come close, all crops spread over the sphere."""

    info = Info("alignment", "Alignment and uniformity", "Wang & Isola 2020")

    def views(self, batch, generator):
        return {name: self.encoder.features(batch.crops[:, i]) for i, name in enumerate("ab")}

    def embed(self, views):
        return {name: F.normalize(self.encoder.body(view).mean(dim=1), dim=1) for name, view in views.items()}

    def loss(self, embeddings):
        a, b = embeddings["a"].float(), embeddings["b"].float()
        spread = torch.pdist(a).square().mul(-2).exp().mean().log()
        return {"loss": (a - b).square().sum(dim=1).mean() + spread}

"""Tempo of electronic dance music: accuracy within 4 %.

Conventions
-----------
Measured: one tempo in bpm per two-minute preview. Label: tempi tapped by a crowd (version 2, Schreiber & Müller 2018).
Split: **not the published protocol**, which trains elsewhere and tests on all 661; ours holds out 30 % of the releases
for test and 10 % for validation, so that figures compare within this benchmark only.
Known: genres have tempi of their own (house near 125, drum and bass near 174 bpm), so that timbre alone goes far.
Metric: accuracy1 and, up to the metrical level, accuracy2 (Gouyon et al. 2006); see `tasks.kinds.tempo`.
Aggregation: mean of the windows' logits over tempo bins.
Papers: Knees et al., ISMIR 2015; Schreiber & Müller, ISMIR 2018.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.tempo import TempoEstimation


class GiantStepsTempo(TempoEstimation):
    """Tempo of electronic dance music, on a split of our own."""

    info = Info(
        "giantsteps_tempo",
        "Tempo, electronic dance music (own split)",
        "Knees et al. 2015; Schreiber & Müller 2018",
        version=2,
    )
    level = "time"
    corpus = "giantsteps_tempo"

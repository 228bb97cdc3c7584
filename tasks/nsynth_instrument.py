"""NSynth instrument family: 11 classes, accuracy.

Conventions
-----------
Measured: the family of the instrument that plays a single note. Label: the makers' assignment of each sample library.
Split: official; the instruments of the test are not heard in training (in validation they are).
Classes: the data set's 11; `synth_lead` occurs in training only, so it can be guessed but never be right, and is not in
the macro-F1, which is over the classes of the test.
Shortcuts to know: range (bass is low), and the sound of one library, which makes several instruments.
Metric: accuracy over notes; and macro-F1 (the families are unbalanced). Paper: Engel et al. 2017.
"""

from __future__ import annotations

from benchmark.corpora.datasets.instruments.nsynth import FAMILIES
from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class NSynthInstrument(Classification):
    """Instrument family of a note."""

    info = Info("nsynth_instrument", "Instrument family (NSynth)", "Engel et al. 2017, NSynth", version=1)
    level = "timbre"
    corpus = "nsynth"
    labels = ("family",)
    classes = FAMILIES

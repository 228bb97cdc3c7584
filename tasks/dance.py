"""Dance: reel, jig or hornpipe; macro-F1.

Conventions
-----------
Measured: which dance a tune is for. Label: the `R:` header of the ABC source (O'Neill's and Ryan's collections). A
double jig is a jig; a jig in 9/8 is a slip jig, which Ryan's headers do not tell apart. Slip jigs (97), strathspeys,
clogs, airs and rarer ones are too few to be tested on, and have no label, like all other works.
Shortcuts removed: the tempo, by which dances are told apart in the ballroom, and by which a collection of recordings
can be sorted without listening to the rhythm: it is drawn for each clip, whatever the dance; so are instruments and
drums' sounds. What remains: a jig follows from its metre (6/8; drums beat it in 45 % of the clips); reel and
hornpipe share theirs (2/4, 4/4, 2/2), and differ in figuration and phrase ends.
Metric: macro-F1 (scikit-learn); and accuracy.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class Dance(Classification):
    """Dance type of Irish and American fiddle tunes."""

    info = Info("dance", "Dance type", "O'Neill 1903; Ryan's Mammoth Collection 1883; music21 corpus", version=2)
    level = "style"
    corpus = "rendered_scores"
    metric = "macro_f1"
    labels = ("dance",)
    told_by = ("metre",)
    classes = ("reel", "jig", "hornpipe")

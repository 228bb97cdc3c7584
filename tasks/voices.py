"""Voices: how many parts sound together, 1 to 4; accuracy.

Conventions
-----------
Measured: the number of pitched voices that sound together in a clip of part music. Label: the number of parts whose
notes sound at once for most (60 %) of the time that any does; a clip without such a number, in which parts enter or
rest, has no label. The top part leads, alone in 20 % of the clips, or with one, two or three of the lower parts, which
one instrument plays. Drums do not count.
Which clips: those of `rendered_chorales`. In `rendered_scores` folk tunes have no label, since their bass doubles the
melody.
Shortcuts removed: in a collection of works for one to eight voices the number is the composer's name; here every
class is made from the same works, all in four parts or five, the lower ones being drawn for each clip. Stems are
leveled before they are mixed, so that more voices are not louder; instruments, tempo and room are drawn independently.
What remains: the lower the lowest part, the likelier are the others (of four-part works the bass is in 1/3, 2/3 and all
of the duets, trios and quartets), and that masses have more rests than chorales.
Metric: accuracy; and macro-F1.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class Voices(Classification):
    """Number of sounding voices."""

    info = Info("voices", "Number of voices", "scikit-learn; this project", version=2)
    level = "timbre"
    corpus = "rendered_chorales"
    labels = ("voices",)
    classes = ("1", "2", "3", "4")

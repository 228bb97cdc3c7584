"""Collection, or style: which printed collection a work is from; macro-F1.

Conventions
-----------
Measured: the repertory of a clip: Aird's Scotch, English, Irish and foreign airs (1782-1803), O'Neill's Irish music
(its transcription in music21), Ryan's American fiddle tunes (1883), or songs of the Essen collection from Germany and
its neighbors, and from China. Label: the folder of music21's corpus, and of Essen the file. All are tunes for one
voice: Bach's chorales are told by their real parts at once, and have no label, nor have other folk tunes, a mixed bag.
It is called what it is: a collection has a style, but also an editor's and a transcriber's habits (ornaments,
repeats). Collections share tunes, O'Neill's and Ryan's most: no one can score 1.
Shortcuts removed: those by which "genre" is mostly recognized: instruments, tempo, register, room, level, drums and
the presence of an accompaniment are drawn for each clip whatever its collection; all clips last 8 s; near-duplicate
tunes are in one split, where they share melodic figures (of a few test clips a variant of the tune that shares less
is among the training tracks). What remains is in the notes: metre, scale (Chinese songs are mostly pentatonic), range,
note density.
Metric: macro-F1 (scikit-learn), since the collections are of different size; and accuracy.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.classification import Classification


class Collection(Classification):
    """Collection that a work is from."""

    info = Info("collection", "Collection / style", "Cuthbert & Ariza 2010 (music21 corpus); this project", version=2)
    level = "style"
    corpus = "rendered_scores"
    metric = "macro_f1"
    labels = ("collection",)
    classes = ("airdsAirs", "oneills1850", "ryansMammoth", "essenGermany", "essenChina")

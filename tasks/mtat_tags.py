"""MagnaTagATune's 50 most frequent tags: macro ROC-AUC and mAP.

Conventions
-----------
Measured: which of 50 tags (instruments, voices, styles, tempo words) players gave to a 29-second clip.
Label: the 50 tags with most clips among all 188, as everyone since Dieleman & Schrauwen (ICASSP 2014) takes them, with
their synonyms ("female", "female vocal", "woman") side by side: nothing is merged. (CLMR trains and tests on these 50,
too: the script that merges, in its repository, is not what its data loader reads.) A tag that was not given was
not necessarily absent.
Split: folders 0-b / c / d-f. Test sets: all 5,329 clips of d-f, where 997 have none of the tags (CLMR, JukeMIR);
`_tagged`: the 4,332 with at least one (Lee, Won, SemiSupCon; prevalence is higher, and so is mAP: the two cannot be
compared); `_artist_disjoint`: those of them by artists who have no clip in train or validation, at most 1,652.
Clips without any tag are in train and validation, with all zeros.
Leaks to know: 62 % of the tagged test clips are by an artist in train, so knowing an artist's sound helps.
Metric: mAP and macro ROC-AUC over tags; means over a clip's windows are of logits.
Paper: Law, West, Mandel, Bay, Downie, "Evaluation of algorithms using games", ISMIR 2009.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark.interfaces import Info
from tasks.kinds.tagging import Tagging

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

#: most frequent first
TOP_50 = (
    "guitar classical slow techno strings drums electronic rock fast piano ambient beat violin vocal synth female "
    "indian opera male singing vocals no_vocals harpsichord loud quiet flute woman male_vocal no_vocal pop soft sitar "
    "solo man classic choir voice new_age dance male_voice female_vocal beats harp cello no_voice weird country metal "
    "female_voice choral"
)


class MTATTags(Tagging):
    """Top-50 tags of MagnaTagATune."""

    info = Info("mtat_tags", "MagnaTagATune top-50 tags", "Law et al. (ISMIR 2009)", version=1)
    level = "timbre"
    corpus = "mtat"
    labels = ("tags",)
    context = ("artist",)
    classes = tuple(tag.replace("_", " ") for tag in TOP_50.split())

    def test_sets(self, tracks: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
        """All test clips, those that have a tag, and those of them by artists that were not heard before."""
        split, artist = tracks["split"], tracks["artist"]
        test = (split == "test").to_numpy()
        tagged = test & np.array([not set(self.classes).isdisjoint(tags) for tags in tracks["tags"]])
        heard = {"", *artist[split.isin(["train", "val"])]}  # a clip whose artist is unknown may be anyone's
        return {"": test, "_tagged": tagged, "_artist_disjoint": tagged & ~artist.isin(heard).to_numpy()}

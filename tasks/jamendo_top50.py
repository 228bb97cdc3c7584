"""MTG-Jamendo's 50 most frequent tags: macro ROC-AUC and mAP.

Conventions
-----------
Measured: which of 50 tags (31 genres, 14 instruments, 5 moods) a full track has. Label: the uploader's tags, cleaned by
the authors; a tag that was not given was not necessarily absent.
Split: the authors' split 0, 32,136 / 10,888 / 11,356 tracks, all of an artist on one side; tracks with none of the
tags have no label.
Shortcuts to know: an uploader tags a whole album alike, so there is less to learn, and to test, than tracks suggest.
Metric: mAP and macro ROC-AUC over tags; means over a track's windows are of logits.
Paper: Bogdanov, Won, Tovstogan, Porter, Serra, "The MTG-Jamendo dataset for automatic music tagging", ML4MD at ICML
2019.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.tagging import Tagging

#: the tags that all five splits have
GENRES = (
    "alternative ambient atmospheric chillout classical dance downtempo easylistening electronic experimental folk "
    "funk hiphop house indie instrumentalpop jazz lounge metal newage orchestral pop popfolk poprock reggae rock "
    "soundtrack techno trance triphop world"
)
INSTRUMENTS = (
    "acousticguitar bass computer drummachine drums electricguitar electricpiano guitar keyboard piano strings "
    "synthesizer violin voice"
)
MOODS = "emotional energetic film happy relaxing"


class JamendoTop50(Tagging):
    """Top-50 tags of MTG-Jamendo."""

    info = Info("jamendo_top50", "MTG-Jamendo top-50 tags", "Bogdanov et al. (ICML workshop 2019)", version=1)
    level = "style"
    corpus = "mtg_jamendo"
    labels = ("top50", "genre", "instrument", "mood")
    classes = (
        *(f"genre---{tag}" for tag in GENRES.split()),
        *(f"instrument---{tag}" for tag in INSTRUMENTS.split()),
        *(f"mood/theme---{tag}" for tag in MOODS.split()),
    )

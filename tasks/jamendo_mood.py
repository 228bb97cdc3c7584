"""MTG-Jamendo's mood and theme tags: 56 tags, macro ROC-AUC and mAP.

Conventions
-----------
Measured: which of 56 moods and themes a full track has. Label: the uploader's tags, cleaned by the authors; a tag that
was not given was not necessarily absent.
Split: the authors' split 0, 9,949 / 3,802 / 4,231 tracks, all of an artist on one side (that of MediaEval's task
Emotion and Theme Recognition in Music).
Corpus: the tracks that have such a tag, which are distributed on their own (46 GB instead of 156).
Shortcuts to know: themes such as "christmas" or "trailer" are uses, not sounds; an uploader tags a whole album alike.
Metric: mAP and macro ROC-AUC over tags; means over a track's windows are of logits.
Paper: Bogdanov, Won, Tovstogan, Porter, Serra, "The MTG-Jamendo dataset for automatic music tagging", ML4MD at ICML
2019.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.tagging import Tagging

#: the tags that all five splits have
MOODS = (
    "action adventure advertising background ballad calm children christmas commercial cool corporate dark deep "
    "documentary drama dramatic dream emotional energetic epic fast film fun funny game groovy happy heavy holiday "
    "hopeful inspiring love meditative melancholic melodic motivational movie nature party positive powerful relaxing "
    "retro romantic sad sexy slow soft soundscape space sport summer trailer travel upbeat uplifting"
)


class JamendoMood(Tagging):
    """Mood and theme tags of MTG-Jamendo."""

    info = Info("jamendo_mood", "MTG-Jamendo mood and theme tags", "Bogdanov et al. (ICML workshop 2019)", version=1)
    level = "affect"
    corpus = "mtg_jamendo_mood"
    labels = ("mood",)
    classes = tuple(f"mood/theme---{tag}" for tag in MOODS.split())

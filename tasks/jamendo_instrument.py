"""MTG-Jamendo's instrument tags: 40 tags, macro ROC-AUC and mAP.

Conventions
-----------
Measured: which of 40 instruments a full track has. Label: the uploader's tags, cleaned by the authors; many uploaders
name one instrument of several, so a tag that was not given was not necessarily absent.
Split: the authors' split 0, 14,395 / 5,466 / 5,115 tracks, all of an artist on one side; tracks without an instrument
have no label.
Shortcuts to know: instruments go with genres, and an uploader tags a whole album alike.
Metric: mAP and macro ROC-AUC over tags; means over a track's windows are of logits.
Paper: Bogdanov, Won, Tovstogan, Porter, Serra, "The MTG-Jamendo dataset for automatic music tagging", ML4MD at ICML
2019.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.tagging import Tagging

#: the tags that all five splits have
INSTRUMENTS = (
    "accordion acousticbassguitar acousticguitar bass beat bell bongo brass cello clarinet classicalguitar computer "
    "doublebass drummachine drums electricguitar electricpiano flute guitar harmonica harp horn keyboard oboe "
    "orchestra organ pad percussion piano pipeorgan rhodes sampler saxophone strings synthesizer trombone trumpet "
    "viola violin voice"
)


class JamendoInstrument(Tagging):
    """Instrument tags of MTG-Jamendo."""

    info = Info("jamendo_instrument", "MTG-Jamendo instrument tags", "Bogdanov et al. (ICML workshop 2019)", version=1)
    level = "timbre"
    corpus = "mtg_jamendo"
    labels = ("instrument", "top50")
    classes = tuple(f"instrument---{tag}" for tag in INSTRUMENTS.split())

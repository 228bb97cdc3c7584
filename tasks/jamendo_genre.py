"""MTG-Jamendo's genre tags: 87 tags, macro ROC-AUC and mAP.

Conventions
-----------
Measured: which of 87 genres a full track has. Label: the uploader's tags, cleaned by the authors; a tag that was not
given was not necessarily absent.
Split: the authors' split 0, 32,572 / 11,043 / 11,479 tracks, all of an artist on one side; tracks without a genre
have no label.
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
    "60s 70s 80s 90s acidjazz alternative alternativerock ambient atmospheric blues bluesrock bossanova breakbeat "
    "celtic chanson chillout choir classical classicrock club contemporary country dance darkambient darkwave "
    "deephouse disco downtempo drumnbass dub dubstep easylistening edm electronic electronica electropop ethno "
    "eurodance experimental folk funk fusion groove grunge hard hardrock hiphop house idm improvisation indie "
    "industrial instrumentalpop instrumentalrock jazz jazzfusion latin lounge medieval metal minimal newage newwave "
    "orchestral pop popfolk poprock postrock progressive psychedelic punkrock rap reggae rnb rock rocknroll "
    "singersongwriter soul soundtrack swing symphonic synthpop techno trance triphop world worldfusion"
)


class JamendoGenre(Tagging):
    """Genre tags of MTG-Jamendo."""

    info = Info("jamendo_genre", "MTG-Jamendo genre tags", "Bogdanov et al. (ICML workshop 2019)", version=1)
    level = "style"
    corpus = "mtg_jamendo"
    labels = ("genre", "top50")
    classes = tuple(f"genre---{tag}" for tag in GENRES.split())

"""EmoMusic arousal and valence: two numbers, R².

Conventions
-----------
Measured: how aroused and how positive a 45 s excerpt sounds. Label: mean of the listeners' ratings of the whole
excerpt, from 1 to 9. jukemir and MARBLE train on z-scores of the training songs: R² is the same on either scale.
Split: 504 / 115 / 125, jukemir's and MARBLE's: the test is MediaEval 2013's, validation is by artist.
Shortcuts to know: arousal goes with loudness, which is not leveled; genre and artist go with both, and 66 of the 125
test songs are by an artist of development. 125 songs test: a difference below about 0.1 is noise.
Metric: R² of each, and their mean. Of an excerpt's windows the outputs are averaged. Paper: Soleymani et al. 2013;
Castellon, Donahue & Liang 2021.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.regression import Regression


class EmoMusicEmotion(Regression):
    """Arousal and valence."""

    info = Info("emomusic_emotion", "Arousal and valence (EmoMusic)", "Soleymani et al. 2013, 1000 songs", version=2)
    level = "affect"
    corpus = "emomusic"
    labels = ("arousal", "valence")
    classes = ("arousal", "valence")

"""Downbeat: times of the first beats of the bars, F-measure at 70 ms.

Conventions
-----------
Measured: downbeat times in seconds within a clip of 8 s, 2 to 13 of them. Label: every full bar's first beat, on the
beat grid that the clip was rendered on. Where bars begin follows from the MusicXML of the chorales, and for the tunes
from the bar lines that abc2midi reads; anacruses count, and works with irregular bars are not in the corpus.
Shortcuts removed: the clip starts anywhere in a bar, so that no time is likelier than another; accents are drawn for
each clip and mark beats, not bars; 55 % of the clips have no drums, and those that have lack 8 % of their hits. What
remains: in 4/4 the third beat has the low drum too, softer, and without drums it can hardly be told from a downbeat.
Metric: as in `beat`: `mir_eval.beat.f_measure`, 70 ms, untrimmed, mean over clips.
Decoding: as in `beat`, but peaks are at least 0.55 s apart; the shortest bar, two beats at 180 bpm, lasts 0.67 s.
"""

from __future__ import annotations

from benchmark.interfaces import Info
from tasks.kinds.beats import BeatTracking


class Downbeat(BeatTracking):
    """Downbeat tracking from a frame-wise activation."""

    info = Info("downbeat", "Downbeat tracking", "mir_eval.beat (Raffel et al. 2014); Dixon 2007", version=1)
    level = "time"
    corpus = "rendered_scores"
    labels = ("downbeats",)
    told_by = ("metre",)
    min_seconds = 0.55

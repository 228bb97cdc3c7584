"""What each task's label is worth to someone who knows the right feature: the upper edge of the useful band.

Each oracle is told something that no probe is (the tempo, the lead alone, that keys transpose), so that its score shows
that the label is in the audio, and how much of it.
"""

from __future__ import annotations

from collections.abc import Callable

from oracles.listening import Exam, Music
from oracles.pitch import (
    chords_at_known_beats,
    key_template,
    melody_alone,
    mode_at_known_tonic,
    note_alone,
    voices_of_the_accompaniment,
)
from oracles.style import collection_of_known_notes, dance_at_known_tempo
from oracles.timbre import lead_alone, stems_alone
from oracles.time import (
    beats_at_known_tempo,
    downbeats_at_known_beats,
    metre_at_known_tempo,
    pulse,
    tempo_by_autocorrelation,
)

__all__ = ["ORACLES", "Exam", "Music", "pulse"]

#: what hears each task's label, and what it knows
ORACLES: dict[str, tuple[Callable[[Exam], float], str]] = {
    "instrument": (lead_alone, "MFCC of the lead's own stem, probed"),
    "instruments_present": (stems_alone, "MFCC of each pitched stem and of the mix, probed"),
    "pitch": (note_alone, "YIN on the note's own stem"),
    "key": (key_template, "template on chroma, transposed to 12 keys"),
    "mode": (mode_at_known_tonic, "chroma from the known tonic, probed"),
    "chord": (chords_at_known_beats, "template on chroma of the dry stems at known beats, transposed"),
    "voices": (voices_of_the_accompaniment, "polyphony of the accompaniment's own stem, boosted trees"),
    "melody": (melody_alone, "YIN on the lead's own stem"),
    "metre": (metre_at_known_tempo, "onset autocorrelation at the known tempo, probed"),
    "tempo": (tempo_by_autocorrelation, "onset autocorrelation at each tempo's multiples, logistic"),
    "beat": (beats_at_known_tempo, "onset strength, dynamic programming at the known tempo"),
    "downbeat": (downbeats_at_known_beats, "onset strength at known beats, known bar length, logistic"),
    "dance": (dance_at_known_tempo, "onset autocorrelation at the known tempo, boosted trees"),
    "collection": (collection_of_known_notes, "statistics of the notes played, beats and key known, boosted trees"),
}

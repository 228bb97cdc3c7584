"""Folk tunes and Bach chorales, rendered on the spot: an embedded corpus whose labels are true by construction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmark.interfaces import Corpus, Info

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from benchmark.corpora.rendered.arrange import Arrangement


class RenderedScores(Corpus):
    """Scores of the pip package music21, played through the SoundFont of pretty_midi; clips of 8 s at 16 kHz.

    Labels arise from the score (key, mode, metre, dance, collection), from the arrangement (instruments, tempo, beats,
    downbeats), or from the notes that it plays (f0; of chorales also chords and voices); the arrangement is drawn
    independently of the score. Splits 70/15/15 by group of near-duplicate tunes.
    """

    info = Info(
        name="rendered_scores",
        title="Rendered scores",
        citation="Cuthbert & Ariza 2010 (music21 corpus); TimGM6mb SoundFont",
        version=3,
    )
    licence = (
        "Rendered locally, never redistributed. Scores: music21's corpus licence (some encodings non-commercial); "
        "SoundFont: GPL-2."
    )
    sample_rate = 16_000
    track_seconds = 8.0
    sizes = {"tiny": 240, "small": 1200, "standard": 6000}
    stems = ("lead", "accompaniment", "drums")
    #: whose works are played
    collections: ClassVar[tuple[str, ...]] = ("oneills1850", "airdsAirs", "ryansMammoth", "miscFolk", "bach")
    #: which clips of the order are rendered
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test", "transfer")

    def font(self) -> Path | None:
        """Another SoundFont than the pip package's."""
        return None

    def fingerprint(self) -> dict[str, str]:
        """Versions of scores, reader, SoundFont, synthesizer, and of what filters and resamples."""
        from benchmark.corpora.rendered.works.pack import reader_versions

        packages = ("pretty_midi", "midirenderer", "soxr", "scipy", "numpy")
        versions = reader_versions(RenderedScores.info.version) | {name: version(name) for name in packages}
        return versions | {"corpus": str(self.info.version)}

    def catalog(self, folder: Path, size: int) -> pd.DataFrame:
        """Read the scores, group near-duplicates, and draw the first `size` clips of the order."""
        import pandas as pd

        from benchmark.corpora.rendered.arrange import arrange
        from benchmark.corpora.rendered.catalog import order
        from benchmark.corpora.rendered.works.groups import group_works
        from benchmark.corpora.rendered.works.note_tables import save_notes
        from benchmark.corpora.rendered.works.reading import read_works

        read = read_works(RenderedScores.info.version)
        # groups are those of all works, so that a work is in the same split whatever else is played
        played = [(w, g) for w, g in zip(read, group_works(read), strict=True) if w.collection in self.collections]
        works, groups = [work for work, _ in played], [group for _, group in played]
        drawn = (clip for clip in order(works, groups, self.info.version) if clip.split in self.splits)
        clips = list(itertools.islice(drawn, size))
        save_notes([works[i] for i in sorted({clip.work for clip in clips})], folder)
        return pd.DataFrame(
            {
                "id": clip.track,
                "group": groups[clip.work],
                "split": clip.split,
                "work": works[clip.work].work,
                "collection": works[clip.work].collection,
                **arrange(works[clip.work], clip.track, clip.split, self.info.version).labels,
            }
            for clip in clips
        )

    def render(self, tracks: pd.DataFrame, folder: Path) -> Iterator[dict[str, NDArray[np.int16]]]:
        """Play each clip: `mix`, and its stems."""
        from benchmark.corpora.rendered.synthesis import render

        font = self.font()
        for arrangement in self.arrangements(tracks, folder):
            yield render(arrangement, font)

    def arrangements(self, tracks: pd.DataFrame, folder: Path) -> Iterator[Arrangement]:
        """How each clip is played."""
        from benchmark.corpora.rendered.arrange import arrange
        from benchmark.corpora.rendered.works.note_tables import load_notes

        works = load_notes(folder, set(tracks["work"]))
        for track in tracks.itertuples():
            yield arrange(works[str(track.work)], str(track.id), str(track.split), self.info.version)


class RenderedChorales(RenderedScores):
    """The chorales of `rendered_scores` alone, for tasks that need real parts: chords, voices.

    The same works, splits and ways to play them, in more renditions: of `rendered_scores` they are 8 %, too few clips
    to learn chords from. A clip that is in both has the same id, and sounds the same.
    """

    info = Info(
        name="rendered_chorales",
        title="Rendered chorales",
        citation="Cuthbert & Ariza 2010 (music21 corpus); TimGM6mb SoundFont",
        version=RenderedScores.info.version,
    )
    sizes = {"tiny": 240, "small": 1200, "standard": 3000}
    collections = ("bach",)

"""Folk tunes and Bach chorales, rendered on the spot: an embedded corpus whose labels are true by construction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.interfaces import Corpus, Info

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class RenderedScores(Corpus):
    """Scores of the pip package music21, played through the SoundFont of pretty_midi; clips of 8 s at 16 kHz.

    Labels arise from the score (key, mode, metre) or from the arrangement (instrument, tempo, beats); the
    arrangement is drawn independently of the score. Splits 70/15/15 by group of near-duplicate tunes.
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
    sizes = {"tiny": 240, "small": 1200, "standard": 6000}
    stems = ("lead", "accompaniment", "drums")

    def fingerprint(self) -> dict[str, str]:
        """Versions of scores, reader, SoundFont, synthesizer, and of what filters and resamples."""
        packages = ("music21", "symusic", "pretty_midi", "midirenderer", "soxr", "scipy", "numpy")
        return {name: version(name) for name in packages} | {"corpus": str(self.info.version)}

    def catalog(self, folder: Path, size: int) -> pd.DataFrame:
        """Read the scores, group near-duplicates, and draw the first `size` clips of the order."""
        import pandas as pd

        from benchmark.corpora.rendered_scores.arrange import arrange
        from benchmark.corpora.rendered_scores.catalog import order, read_works, save_notes
        from benchmark.corpora.rendered_scores.groups import group_works

        works = read_works()
        groups = group_works(works)
        clips = list(itertools.islice(order(works, groups, self.info.version), size))
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
        from benchmark.corpora.rendered_scores.arrange import arrange
        from benchmark.corpora.rendered_scores.catalog import load_notes
        from benchmark.corpora.rendered_scores.sound import render

        works = load_notes(folder, set(tracks["work"]))
        for track in tracks.itertuples():
            yield render(arrange(works[str(track.work)], str(track.id), str(track.split), self.info.version))

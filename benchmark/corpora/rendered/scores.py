"""Folk tunes, songs and part music, rendered on the spot: embedded corpora whose labels are true by construction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    downbeats), or from the notes that it plays (f0; of part music also chords and voices); the arrangement is drawn
    independently of the score. Splits by group of near-duplicate tunes.
    """

    info = Info(
        name="rendered_scores",
        title="Rendered scores",
        citation="Cuthbert & Ariza 2010 (music21 corpus); TimGM6mb SoundFont",
        version=4,
    )
    licence = (
        "Rendered locally, never redistributed. Scores: music21's corpus licence (some encodings non-commercial); "
        "SoundFont: GPL-2."
    )
    sample_rate = 16_000
    track_seconds = 8.0
    #: clips of each split, by size: training as pre-training needs it, test as comparisons do
    counts: ClassVar[Mapping[str, Mapping[str, int]]] = {
        "tiny": {"train": 148, "val": 31, "test": 31, "transfer": 30},
        "small": {"train": 730, "val": 160, "test": 400, "transfer": 110},
        "standard": {"train": 3650, "val": 830, "test": 5200, "transfer": 800},
    }
    sizes = {name: sum(of.values()) for name, of in counts.items()}
    stems = ("lead", "accompaniment", "drums")
    #: whose works are played
    collections: ClassVar[tuple[str, ...]] = (
        "oneills1850",
        "airdsAirs",
        "ryansMammoth",
        "miscFolk",
        "essenGermany",
        "essenChina",
        "bach",
    )

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
        """Read the scores, and draw the first `size` clips of the order."""
        from itertools import islice

        import pandas as pd

        from benchmark.corpora.rendered.arrange import arrange
        from benchmark.corpora.rendered.catalog import order
        from benchmark.corpora.rendered.works.note_tables import save_notes
        from benchmark.corpora.rendered.works.reading import read_works

        # groups are those of all works, so that a work is in the same split whatever else is played
        works = [work for work in read_works(RenderedScores.info.version) if work.collection in self.collections]
        groups = [work.group for work in works]
        clips = list(islice(order(works, groups, self.info.version, list(self.counts.values())), size))
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
    """Part music, for tasks that need real parts: Bach's chorales, Palestrina's masses, Monteverdi's madrigals.

    In the same splits and ways to play them as `rendered_scores`, which has the chorales, too. Its groups are hymns,
    masses and madrigals.
    """

    info = Info(
        name="rendered_chorales",
        title="Rendered chorales and other part music",
        citation="Cuthbert & Ariza 2010 (music21 corpus); TimGM6mb SoundFont",
        version=RenderedScores.info.version,
    )
    counts: ClassVar[Mapping[str, Mapping[str, int]]] = {
        "tiny": {"train": 148, "val": 31, "test": 61},
        "small": {"train": 730, "val": 160, "test": 310},
        "standard": {"train": 1830, "val": 400, "test": 1600},
    }
    sizes = {name: sum(of.values()) for name, of in counts.items()}
    collections = ("bach", "palestrina", "monteverdi")

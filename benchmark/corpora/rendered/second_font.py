"""The test clips of the rendered scores by another SoundFont: what is left when every instrument sounds different."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmark.corpora.rendered.scores import RenderedScores
from benchmark.interfaces import Info, UserError

if TYPE_CHECKING:
    import pandas as pd


class RenderedScoresSecondFont(RenderedScores):
    """The test clips of `rendered_scores` played by a second SoundFont: same ids, scores, rooms and levels.

    A size has the test clips of that size of `rendered_scores`, in their order.
    """

    info = Info(
        name="rendered_scores_second_font",
        title="Rendered scores, second SoundFont",
        citation="Cuthbert & Ariza 2010 (music21 corpus); the system's SoundFont",
        version=RenderedScores.info.version,
    )
    licence = (
        "Rendered locally, never redistributed. Scores: music21's corpus licence (some encodings non-commercial); "
        "SoundFont: as its package says (FluidR3: MIT)."
    )
    counts: ClassVar[Mapping[str, Mapping[str, int]]] = {
        name: {"test": of["test"]} for name, of in RenderedScores.counts.items()
    }
    sizes = {name: of["test"] for name, of in counts.items()}

    def font(self) -> Path:
        """The second SoundFont.

        Raises:
            UserError: there is none; says how to get one.
        """
        from benchmark.corpora.rendered.soundfonts import HOW_TO_GET, second_font

        font = second_font()
        if font is None:
            raise UserError(f"{self.info.name}: there is no second SoundFont on this system; {HOW_TO_GET}")
        return font

    def fingerprint(self) -> dict[str, str]:
        """That of `rendered_scores`, and the font."""
        from benchmark.corpora.rendered.soundfonts import digest

        return super().fingerprint() | {"soundfont": digest(self.font())}

    def catalog(self, folder: Path, size: int) -> pd.DataFrame:
        """The first `size` test clips.

        Raises:
            UserError: the font cannot play them: notes are silent or out of tune.
        """
        from benchmark.corpora.rendered.audition import faults
        from benchmark.corpora.rendered.soundfonts import HOW_TO_GET

        font, tracks = self.font(), super().catalog(folder, size)
        found = faults(font, self.arrangements(tracks, folder))
        if found:
            raise UserError(f"{self.info.name}: {font} does not play what is written: {'; '.join(found)}; {HOW_TO_GET}")
        return tracks

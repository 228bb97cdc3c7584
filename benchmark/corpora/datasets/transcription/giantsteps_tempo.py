"""GiantSteps tempo: previews of electronic dance music, with tempo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmark.corpora.datasets.beat_files import read_bpm
from benchmark.corpora.datasets.dataset import DataSet
from benchmark.corpora.datasets.layout import Files
from benchmark.interfaces import Info

if TYPE_CHECKING:
    import pandas as pd

#: files whose tempo is 0.0 (their numbers are from memory; whatever holds no tempo is left out)
WITHOUT_TEMPO = (3041381, 3041383, 1327052)
#: Beatport numbers its tracks as they come in: these are of one release, or of one label's delivery
NEIGHBORS = 10


class GiantStepsTempo(DataSet):
    """GiantSteps tempo (Knees et al. 2015), 661 of 664 previews of two minutes; tempi of Schreiber & Müller (2018).

    Layout: `annotations_v2/tempo/<id>.LOFI.bpm` (a number) and `audio/<id>.LOFI.mp3`, where the id is Beatport's. The
    tempi of 2015 (`annotations/`) come from user corrections; those of 2018, used here, were tapped by a crowd.

    Left out: `WITHOUT_TEMPO`, which have 0.0 in version 2.

    **Not the published protocol.** The field only tests on this set. A probe must be trained, so it is split by the
    hash of the release: 30 % test, 10 % validation (396 / 67 / 198 tracks). Its own `splits/fold*.txt` are not used,
    since they part releases (4017608 is in fold 10, 4017611 in fold 1). A release is a run of numbers at most 10 apart,
    which is our guess: artists are not annotated, and may be in several splits.
    """

    info = Info(
        "giantsteps_tempo", "GiantSteps tempo", "Knees et al. 2015; Schreiber & Müller 2018 (tempi, version 2)", 2
    )
    licence = "annotations CC BY-SA; audio: Beatport's previews, all rights reserved"
    folder = "giantsteps/giantsteps-tempo-dataset"
    aliases = ("giantsteps/giantsteps-tempo-dataset-*", "giantsteps/*/giantsteps-tempo-dataset*", "giantsteps_tempo")
    get = (
        "Clone giantsteps-tempo-dataset of the GiantSteps organization on GitHub, and run its audio_dl.sh; "
        "JKU Linz keeps a copy of the audio"
    )
    disk = "1 GB"
    expected = {"train": 396, "val": 67, "test": 198}
    shares: ClassVar[dict[str, float]] = {"test": 0.3, "val": 0.1}

    def index(self, home: Path) -> pd.DataFrame:
        """Every track with a tempo, by number."""
        import pandas as pd

        files = Files(home)
        annotated = [home / path for path in files.all("annotations_v2/tempo/*.LOFI.bpm")]
        tempi = {int(path.name.split(".")[0]): read_bpm(path) for path in annotated}
        numbers = sorted(number for number, bpm in tempi.items() if bpm > 0)
        tracks = pd.DataFrame(
            {
                "id": [str(number) for number in numbers],
                "path": [files.sound(f"audio/{number}.LOFI.mp3") for number in numbers],
                "group": _releases(numbers),
                "tempo": [tempi[number] for number in numbers],
            }
        )
        return tracks.assign(split=self.drawn(tracks["group"]))


def _releases(numbers: list[int]) -> list[str]:
    """Name each run of neighboring numbers, which are in order, by its first one."""
    first, groups = numbers[0], list[str]()
    for before, number in zip([numbers[0], *numbers], numbers, strict=False):
        first = number if number - before > NEIGHBORS else first
        groups.append(str(first))
    return groups

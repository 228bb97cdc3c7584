"""Sets of single notes and of solos in miniature: NSynth, TinySOL, Medley-solos-DB."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from trees.files import music, parts, pick, written

#: of TinySOL's list
TINYSOL_HEADER = (
    "Path,Fold,Family,Instrument (abbr.),Instrument (in full),Technique (abbr.),Technique (in full),Pitch,Pitch ID,"
    "Dynamics,Dynamics ID,Instance ID,String ID (if applicable),Needed digital retuning\n"
)
MEDLEY_HEADER = "subset,instrument,instrument_id,song_id,uuid4\n"


def nsynth_note(instrument: str, family: str, number: int, pitch: int, velocity: int = 25) -> dict[str, object]:
    """An entry of `examples.json`."""
    return {
        "note": 201034,
        "sample_rate": 16000,
        "instrument_family": number,
        "qualities": [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        "instrument_source_str": instrument.split("_")[-2],
        "note_str": f"{instrument}-{pitch:03}-{velocity:03}",
        "instrument_family_str": family,
        "instrument_str": instrument,
        "pitch": pitch,
        "instrument": 417,
        "velocity": velocity,
        "instrument_source": 2,
        "qualities_str": ["dark"],
    }


def nsynth(root: Path) -> None:
    """Validation and test share their instruments."""
    families = ((0, "bass"), (3, "guitar"), (10, "vocal"))
    for part, count, first, velocity in (("train", 15, 0, 25), ("valid", 9, 50, 25), ("test", 9, 50, 100)):
        home, examples = root / "nsynth" / f"nsynth-{part}", {}
        for i in range(count):
            (number, family), pitch = families[i % 3], 55 + 7 * pick(first + i, 2)
            note = nsynth_note(f"{family}_acoustic_{first + i // 3:03}", family, number, pitch, velocity)
            examples[str(note["note_str"])] = note
            music(
                home / f"audio/{note['note_str']}.wav",
                440 * 2 ** ((pitch - 69) / 12),
                1.2,
                16_000,
                overtones=2 * (i % 3),
            )
        written(home / "examples.json", json.dumps(examples))


def tinysol(root: Path) -> None:
    """Thirty notes, six in each fold."""
    instruments = (("Fl", "Winds", "Flute"), ("Vn", "Strings", "Violin"), ("BTb", "Brass", "Bass Tuba"))
    home, rows = root / "tinysol", TINYSOL_HEADER
    for i in range(30):
        short, family, name = instruments[pick(i, 3)]
        path = f"{family}/{name.replace(' ', '_')}/ordinario/{short}-ord-C#{i // 10 + 3}-mf-{i}-N.wav"
        rows += f"{path},{i % 5},{family},{short},{name},ord,ordinario,C#{i // 10 + 3},{49 + 12 * (i // 10)},"
        rows += f"mf,2,{i},,FALSE\n"
        music(home / "TinySOL2020" / path, 138.6 * 2 ** (i // 10), overtones=2 * pick(i, 3))
    written(home / "TinySOL_metadata.csv", rows)


def medley_solos_db(root: Path) -> None:
    """Three instruments in each subset."""
    instruments = ((0, "clarinet"), (1, "distorted electric guitar"), (7, "violin"))
    home, rows = root / "medley_solos_db", MEDLEY_HEADER
    subsets = {"train": "training", "val": "validation", "test": "test"}
    for i, split in enumerate(parts(12, 6, 9)):
        (number, instrument), name = instruments[pick(i, 3)], uuid.uuid5(uuid.NAMESPACE_OID, str(i))
        rows += f"{subsets[split]},{instrument},{number},{i},{name}\n"
        music(home / f"Medley-solos-DB/Medley-solos-DB_{subsets[split]}-{number}_{name}.wav", 220 * 2 ** pick(i, 3))
    written(home / "Medley-solos-DB_metadata.csv", rows)

"""Which General MIDI programs play what, and what pitches are called.

Measured with TimGM6mb: all are within half a semitone of the written note, but for one that is not there: the alto
saxophone (65) is silent on MIDI 64.

Left out: programs that sound an octave off or out of tune (organs 16-19, accordion 21, guitar harmonics 31, bells),
and one of each near-identical pair (0/1, 48/49, 72/74, 4/26).
"""

from __future__ import annotations

#: family -> (programs heard in training, programs kept for the transfer column)
FAMILIES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "piano": ((0, 3, 6), (5, 7)),
    "mallets": ((10, 11, 12), (13, 15)),
    "free reed": ((20, 22), (23,)),
    "guitar": ((24, 27, 29), (25, 30)),
    "strings": ((40, 42, 44), (41, 43)),
    "brass": ((56, 57, 60), (58, 61)),
    "reed": ((64, 65, 71), (66, 69)),
    "pipe": ((73, 74, 75), (79,)),
}
TRAINING_PROGRAMS = tuple(p for seen, _ in FAMILIES.values() for p in seen)

#: two basses and the string ensemble accompany, and never lead
ACCOMPANYING = (*TRAINING_PROGRAMS, 32, 33, 48)
#: what each program is heard as
FAMILY_OF = {p: family for family, both in FAMILIES.items() for programs in both for p in programs}
FAMILY_OF |= {32: "bass", 33: "bass", 48: "strings"}

#: melody octaves: the median pitch of the lead lies in [low, low + 12)
REGISTERS = (50, 62, 74)

#: pitch classes from C = 0, spelled as mir_eval wants them
TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")

KICKS = (35, 36, 41)
SNARES = (37, 38, 39, 40, 50)
HATS = (42, 44, 54, 69, 70)


def held_out_register(program: int) -> int:
    """The register in which training never hears `program`.

    Over all programs each register is held out about equally often, so that the registers of training and test agree
    in distribution, and only the pair (program, register) is new; within a family they need not (of free reeds the top
    is never held out).
    """
    return TRAINING_PROGRAMS.index(program) % len(REGISTERS) if program in TRAINING_PROGRAMS else -1

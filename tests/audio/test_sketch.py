"""The same sound is found through gain, coding and delay; and different sounds of one length never are."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from benchmark.audio.degrade import mp3_bytes
from benchmark.audio.sketch import SLACK, alike, same, sketch

RATE = 16_000
N = 3 * RATE
Sound = NDArray[np.float64]


def samples(sound: Sound) -> NDArray[np.int16]:
    return np.clip(np.round(sound * 32767), -32768, 32767).astype(np.int16)


def notes(seed: int, instrument: int = 4) -> Sound:
    """Twelve notes of decaying harmonics."""
    rng, sound = np.random.default_rng(seed), np.zeros(N)
    for at in rng.integers(0, N - RATE // 2, 12):
        t = np.arange(min(RATE, N - at)) / RATE
        hz = 110 * 2 ** (rng.integers(0, 36) / 12)
        sound[at : at + len(t)] += sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, instrument)) * np.exp(
            -4 * t
        )
    return 0.4 * sound / np.abs(sound).max()


def found(one: list[NDArray[np.int16]], other: list[NDArray[np.int16]]) -> set[tuple[int, int]]:
    tables = [np.stack([sketch(sound, RATE) for sound in sounds]) for sounds in (one, other)]
    lengths = [np.array([len(sound) for sound in sounds]) for sounds in (one, other)]
    pairs = alike(tables[0], tables[1], lengths[0], lengths[1], SLACK * RATE)
    return {(i, j) for i, j in pairs if same(one[i], other[j], RATE)}


def ogg(sound: Sound) -> Sound:
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="OGG")
    file.seek(0)
    return np.asarray(soundfile.read(file)[0])


def mp3(sound: Sound, kbps: int) -> Sound:
    """At 16 kbps its frames have no room for the delay: the sound comes .07 s later."""
    return np.asarray(soundfile.read(io.BytesIO(mp3_bytes(sound.astype(np.float32), RATE, kbps)))[0])


def test_each_sound_is_found_among_others_of_its_length_whatever_became_of_it() -> None:
    sounds = [notes(seed) for seed in range(12)]
    changed = [lambda x: x, lambda x: 0.1 * x, lambda x: -2 * x, ogg, lambda x: mp3(x, 64), lambda x: mp3(x, 16)]
    others = [samples(changed[i % len(changed)](sound)) for i, sound in enumerate(sounds)]
    assert len(others[5]) > N, "with its delay"
    assert found([samples(sound) for sound in sounds], others) == {(i, i) for i in range(12)}


def test_a_sound_is_found_among_many_alike_and_by_where_it_is_loud() -> None:
    sounds = [notes(seed) for seed in range(60)]
    sounds[7][RATE // 2 : -RATE // 3] = 0  # silent in the middle
    others = [samples(mp3(sounds[i], 32)) for i in (7, 30)]
    assert found(others, [samples(sound) for sound in sounds]) == {(0, 7), (1, 30)}


def note(seed: int) -> Sound:
    """D4 on an instrument of its own."""
    rng, t = np.random.default_rng(seed), np.arange(N) / RATE
    partials = [
        rng.uniform(0.1, 1) / k * np.sin(2 * np.pi * 293.66 * k * t + rng.uniform(0, 6.28)) for k in range(1, 9)
    ]
    return np.asarray(0.2 * sum(partials) * np.exp(-rng.uniform(0.5, 3) * t) + 0.001 * rng.standard_normal(N))


KINDS = ["noise", "tones", "notes", "one chord progression", "one pitch", "one tone in noise"]


@pytest.mark.parametrize("kind", KINDS)
def test_different_sounds_of_one_length_are_never_the_same(kind: str) -> None:
    """Noises and tones have one sketch, all of them."""
    rng, t = np.random.default_rng(0), np.arange(N) / RATE
    made: list[Sound] = {
        "noise": [0.1 * rng.standard_normal(N) for _ in range(20)],
        "tones": [0.3 * np.sin(2 * np.pi * 440 * 2 ** (i / 120) * t) for i in range(20)],  # 10 cents apart
        "notes": [notes(seed) for seed in range(40)],
        # the same notes at the same times, on other instruments, with somebody else's noise
        "one chord progression": [notes(0, k) + 0.4 * rng.standard_normal(N) for k in range(3, 9)],
        "one pitch": [note(seed) for seed in range(30)],
        "one tone in noise": [0.3 * np.sin(2 * np.pi * 440 * t) + 0.05 * rng.standard_normal(N) for _ in range(8)],
    }[kind]
    sounds = [samples(sound) for sound in made]
    assert found(sounds, sounds) == {(i, i) for i in range(len(sounds))}


def test_lengths_that_differ_are_no_pair_and_silence_is_nobodys_twin() -> None:
    sound = samples(notes(0))
    assert found([sound], [sound[: -round(0.2 * RATE)]]) == set()
    silence = np.zeros(N, np.int16)
    assert found([silence], [silence]) == set()
    assert list(alike(np.zeros((1, 64), np.float32), np.zeros((0, 64), np.float32), np.ones(1), np.ones(0), 1)) == []
    assert sketch(sound[:700], RATE).shape == sketch(silence[:0], RATE).shape == (64,)

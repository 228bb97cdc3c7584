"""The jobs that bring a corpus's sound onto the disk: catalog, shards, one waveform store."""

from __future__ import annotations

from typing import Any

from benchmark import registry
from benchmark.interfaces import UserError
from benchmark.scheduler.grid import Audio, Grid
from benchmark.scheduler.planning.keys import Plan, source

TRACKS_PER_SHARD = 50


def prepare(result: Plan, audio: Audio, stems: list[str]) -> str:
    """Catalog, then shards, then one waveform store, of the mixture and of `stems`: the corpus's own, or separated.

    Raises:
        UserError: no such corpus or size, it is not on the disk, or nobody makes these stems.
    """
    name = audio.corpus
    corpus = registry.corpora.get(name)()
    if audio.size not in corpus.sizes:
        raise registry.unknown(f"sizes of {name}", audio.size, list(corpus.sizes))
    corpus.inspect()
    if not audio.allow_missing:
        corpus.require_readable()
    size = corpus.size(audio.size)
    base: dict[str, Any] = {"corpus": name, "size": size, "fingerprint": corpus.fingerprint()}
    base |= source(registry.corpora, name)
    catalog = result.add("catalog", f"catalog {name} {audio.size}", base)
    sound, separator = {**base, "kind": "shard"}, _separator(corpus, name, stems)
    base |= {"stems": stems, **separator}
    what = f"{name} {audio.size}{' with stems' if stems else ''}"
    shards = []
    for at in range(0, size, TRACKS_PER_SHARD):
        part = {"start": at, "stop": min(at + TRACKS_PER_SHARD, size)}
        shards.append(result.add("shard", f"render {what} {at}-{part['stop']}", {**base, **part}, (catalog,)))
        if not separator:  # who renders a track has its stems
            result.share(shards[-1], {**sound, **part})
    lenient = {"allow_missing": audio.allow_missing}  # decides whether there is a result, not what it is
    return result.add("waveforms", f"join {what}", base, (catalog, *shards), aside=lenient)


def audio_of(grid: Grid, corpus: str) -> Audio:
    """A corpus as a grid wants it: in the size that it names, else as large as its own corpus, else whole."""
    sizes = registry.corpora.get(corpus).sizes
    size = grid.size if corpus == grid.corpora[0] else grid.sizes.get(corpus)
    if size is None:
        size = grid.size if grid.size in sizes else list(sizes)[-1]
    return Audio(corpus=corpus, size=size, allow_missing=grid.allow_missing)


def _separator(corpus: Any, name: str, stems: list[str]) -> dict[str, list[str]]:
    """Who takes the mixture apart, and its version, where the corpus has no such stems of its own."""
    absent = set(stems) - set(corpus.stems)
    if not absent:
        return {}
    from benchmark.audio.separate import SEPARATORS, separator_for, separator_version

    separator = separator_for(absent)
    if separator is None:
        known = "; ".join(f"{', '.join(found)} ({by})" for by, found in {name: corpus.stems, **SEPARATORS}.items())
        raise UserError(f"nobody makes the stems {', '.join(sorted(absent))} of {name!r}; there are {known}")
    if not separator_version(separator):
        raise UserError(f"stems {', '.join(sorted(absent))} need demucs: pip install 'mir-pretext[separate]'")
    return {"separator": [separator, separator_version(separator)]}

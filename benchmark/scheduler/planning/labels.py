"""The jobs that read labels, of corpora whose catalog has none: a corrected label is no matter of its sound."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import registry
from benchmark.scheduler.planning.keys import Plan, source


def read_labels(plan: Plan, corpora: Iterable[str], columns: tuple[str, ...]) -> dict[str, str]:
    """The job that reads these columns, by corpus, where the catalog does not have them."""
    found = {}
    for name in corpora:
        said = registry.corpora.get(name)().label_fingerprint(columns)
        if said:
            spec = {"corpus": name, "columns": list(columns), "fingerprint": said, **source(registry.corpora, name)}
            found[name] = plan.add("labels", f"read {', '.join(columns)} of {name}", spec)
    return found

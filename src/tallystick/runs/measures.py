"""Metrics of several runs together, and what is meant by the name of one."""

from collections.abc import Iterable, Iterator, Mapping

from tallystick.runs.naming import METRICS

Measures = Mapping[str, Mapping[str, float]]
"""Metrics by file, then by dotted key."""

Place = tuple[str, str]
"""The file and the key of one metric."""


def joined(several: Iterable[Measures]) -> dict[str, dict[str, float]]:
    """The metrics of several stages: each file is one stage's own."""
    return {file: dict(values) for measures in several for file, values in measures.items()}


def places(measures: Measures, name: str) -> list[Place]:
    """The metrics that a name may mean: a key alone means that of `metrics.json`, else that of any file."""
    if name in measures.get(METRICS, ()):
        return [(METRICS, name)]
    return list(_named(measures, name))


def short_name(place: Place) -> str:
    """What a metric is called: by its key alone in `metrics.json`."""
    file, key = place
    return key if file == METRICS else f"{file}:{key}"


def names(measures: Measures) -> list[str]:
    """What all metrics are called."""
    return [short_name((file, key)) for file, values in measures.items() for key in values]


def _named(measures: Measures, name: str) -> Iterator[Place]:
    for file, values in measures.items():
        for key in dict.fromkeys((name, name.removeprefix(f"{file}:"))):
            if key in values:
                yield file, key

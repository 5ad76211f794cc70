"""Figures as Markdown: medians, and how many times as much a peer takes."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from benchmarks.measure import Cost

Rows = Mapping[str, Mapping[str, float]]


def medians(rounds: Sequence[Mapping[str, Cost]], part: Callable[[Cost], float]) -> dict[str, float]:
    """The median of one part of every job's costs."""
    jobs = list(dict.fromkeys(job for one in rounds for job in one))
    return {job: statistics.median(part(one[job]) for one in rounds if job in one) for job in jobs}


def peak(rounds: Sequence[Mapping[str, Cost]]) -> float:
    """The largest process of all jobs."""
    return max((cost.peak for one in rounds for cost in one.values()), default=float("nan"))


def figure(value: float) -> str:
    """A number with as many digits as it deserves."""
    if value != value:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def compare(columns: Rows, first: str = "", ratios: bool = True) -> str:
    """Lay figures out by job and contender, with each peer's ratio to the first contender."""
    names = list(columns)
    own, jobs = columns[names[0]], dict.fromkeys(job for name in names for job in columns[name])
    lines = [_line([first, *names]), _line(["---"] + ["---:"] * len(names))]
    for job in jobs:
        base = own.get(job, float("nan"))
        cells = [figure(base)]
        for name in names[1:]:
            value = columns[name].get(job, float("nan"))
            ratio = f" ({value / base:.2g}×)" if ratios and base and value == value and base == base else ""
            cells.append(figure(value) + ratio)
        lines.append(_line([job, *cells]))
    return "\n".join(lines)


def plain(columns: Mapping[str, Mapping[str, str]], first: str = "") -> str:
    """Lay texts out by job and contender."""
    names = list(columns)
    jobs = dict.fromkeys(job for name in names for job in columns[name])
    lines = [_line([first, *names]), _line(["---"] * (len(names) + 1))]
    lines += [_line([job, *(columns[name].get(job, "–") for name in names)]) for job in jobs]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

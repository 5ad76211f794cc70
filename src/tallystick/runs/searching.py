"""Look through the whole ledger for the runs that fit, in an order: few receipts are read."""

import difflib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tallystick.digest import Digest
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records.fields import is_number
from tallystick.runs import conditions, ledger
from tallystick.runs.conditions import Condition, plain_text
from tallystick.runs.ledger import Damaged, Run
from tallystick.runs.naming import FACTS, Values
from tallystick.runs.valued import valued

NAMED = 12
"""How many names an error lists."""

Place = tuple[tuple[int, Any], ...]


@dataclass(frozen=True, slots=True)
class Search:
    """Which runs are meant, and in which order: `sort` are names, with a `-` for the other way round."""

    project: Project
    stages: Sequence[str]
    failed: bool
    condition: Condition
    sort: tuple[str, ...] = ()

    def runs(self, most: int | None, progress: Progress = silent) -> Iterator[Run | Damaged]:
        """All of them, of sorted ones the first `most`; raise Refused for a name that no run has."""
        names = _Names([*conditions.names(self.condition), *map(key_name, self.sort)])
        damaged: list[str] = []
        found = self._fitting(names, damaged, progress)
        names.check()
        meant = [Digest(bytes.fromhex(run)) for run in (*damaged, *self._sorted(found, most))]
        # The rest is for somebody who goes on, as one of the first may be lost.
        first = len(meant) if most is None else len(damaged) + most
        for some in (meant[:first], meant[first:]):
            for run, data in ledger.texts(self.project, some):
                yield ledger.believed(run, data)

    def _fitting(self, names: "_Names", damaged: list[str], progress: Progress) -> list[tuple[str, Values]]:
        """The runs that fit, newest first; those that can't be believed are added to `damaged`."""
        found = []
        for run, values in valued(self.project, progress):
            if values is None:
                damaged.append(run)
            elif self._is_meant(values.facts):
                names.look(values)
                if self.condition.fits(values):
                    found.append((run, values))
        return sorted(found, key=_started, reverse=True)

    def _is_meant(self, facts: Any) -> bool:
        return (not self.stages or facts["stage"] in self.stages) and (
            not self.failed or facts["status"] != "succeeded"
        )

    def _sorted(self, found: Sequence[tuple[str, Values]], most: int | None) -> Iterator[str]:
        """The first in the order; of equal ones the newer comes first."""
        if not self.sort:
            return (run for run, _values in found)
        places = ((self._place(values), run) for run, values in found)
        first = (
            sorted(places, key=_by_place) if most is None else heapq.nsmallest(most, places, key=_by_place)
        )
        return (run for _place, run in first)

    def _place(self, values: Values) -> Place:
        return tuple(_place(values, key_name(key), backward=key.startswith("-")) for key in self.sort)


class _Names:
    """The names that a search asks for, as long as no run was seen that has them."""

    def __init__(self, asked: Iterable[str]) -> None:
        self._unknown = [name for name in dict.fromkeys(asked) if name not in FACTS]
        self._known: dict[str, None] = {}
        self._looked = False

    def look(self, values: Values) -> None:
        """Note which of the names a run has, and what it has instead."""
        self._looked = True
        if self._unknown:
            self._unknown = [name for name in self._unknown if not values.has(name)]
            self._known.update(dict.fromkeys(values.names()))

    def check(self) -> None:
        """Raise Refused for a name that none of all runs has, if there are any."""
        if self._unknown and self._looked:
            name = self._unknown[0]
            raise Refused(f"no run has anything called `{name}`", hint=instead(name, [*self._known, *FACTS]))


def key_name(key: str) -> str:
    """The name in a sort key."""
    return key.removeprefix("-")


def instead(name: str, known: Sequence[str]) -> str:
    """What somebody who wrote a name may have meant."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"there are, for example: {', '.join(known[:NAMED])}"


def _started(pair: tuple[str, Values]) -> str:
    return str(pair[1].facts["started"])


def _by_place(pair: tuple[Place, str]) -> Place:
    return pair[0]


def _place(values: Values, name: str, *, backward: bool) -> tuple[int, Any]:
    """Where a value stands: numbers before texts, and what isn't there last, whichever way round."""
    value = values.find(name)
    if value is None:
        return 2, 0
    if is_number(value):
        return 0, -value if backward else value
    text = plain_text(value)
    # The 1 at its end lets a text stand before its own beginning.
    return 1, (*(-ord(letter) for letter in text), 1) if backward else tuple(map(ord, text))

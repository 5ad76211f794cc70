"""Look through the whole ledger for the runs that fit, in an order: each receipt is read, few are kept."""

import difflib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tallystick.digest import Digest
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records.fields import is_number
from tallystick.runs import conditions, ledger
from tallystick.runs.conditions import Condition, plain_text
from tallystick.runs.ledger import Damaged, Run
from tallystick.runs.naming import FACTS, Values

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

    def runs(self, most: int | None) -> Iterator[Run | Damaged]:
        """All of them, of sorted ones the first `most`; raise Refused for a name that no run has."""
        names = _Names([*conditions.names(self.condition), *map(key_name, self.sort)])
        found = self._fitting(names)
        for run, data in self._sorted(found, most) if self.sort else _texts(found):
            yield ledger.believed(run, data)
        names.check()

    def _fitting(self, names: "_Names") -> Iterator[tuple[Digest, bytes, Values | None]]:
        """The runs that fit, newest first; those that can't be believed without values."""
        for run, data in ledger.stored(self.project):
            values = Values.of_text(run, data) if Digest.of(data) == run else None
            if values is None:
                yield run, data, None
            elif self._is_meant(values.facts):
                names.look(values)
                if self.condition.fits(values):
                    yield run, data, values
        names.all_seen = True

    def _is_meant(self, facts: Any) -> bool:
        return (not self.stages or facts["stage"] in self.stages) and (
            not self.failed or facts["status"] != "succeeded"
        )

    def _sorted(
        self, found: Iterable[tuple[Digest, bytes, Values | None]], most: int | None
    ) -> Iterator[tuple[Digest, bytes]]:
        """The first in the order, read once more: few are kept. Of equal ones the newer comes first."""
        places = ((self._place(values), run) for run, _data, values in found)
        if most is None:
            first = sorted(places, key=_by_place)
        else:
            first = heapq.nsmallest(most, places, key=_by_place)
        return ledger.texts(self.project, [run for _place, run in first])

    def _place(self, values: Values | None) -> Place:
        return tuple(_place(values, key_name(key), backward=key.startswith("-")) for key in self.sort)


class _Names:
    """The names that a search asks for, as long as no run was seen that has them."""

    def __init__(self, asked: Iterable[str]) -> None:
        self._unknown = [name for name in dict.fromkeys(asked) if name not in FACTS]
        self._known: dict[str, None] = {}
        self.all_seen = False

    def look(self, values: Values) -> None:
        """Note which of the names a run has, and what it has instead."""
        if self._unknown:
            self._unknown = [name for name in self._unknown if not values.has(name)]
            self._known.update(dict.fromkeys(values.names()))

    def check(self) -> None:
        """Raise Refused for a name that none of all runs has, if there are any."""
        if self.all_seen and self._unknown and self._known:
            name = self._unknown[0]
            raise Refused(f"no run has anything called `{name}`", hint=instead(name, [*self._known, *FACTS]))


def key_name(key: str) -> str:
    """The name in a sort key."""
    return key.removeprefix("-")


def instead(name: str, known: Sequence[str]) -> str:
    """What somebody who wrote a name may have meant."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"there are, for example: {', '.join(known[:NAMED])}"


def _texts(found: Iterable[tuple[Digest, bytes, Values | None]]) -> Iterator[tuple[Digest, bytes]]:
    return ((run, data) for run, data, _values in found)


def _by_place(pair: tuple[Place, Digest]) -> Place:
    return pair[0]


def _place(values: Values | None, name: str, *, backward: bool) -> tuple[int, Any]:
    """Where a value stands: numbers before texts, and what isn't there last, whichever way round."""
    value = None if values is None else values.find(name)
    if value is None:
        return 2, 0
    if is_number(value):
        return 0, -value if backward else value
    text = plain_text(value)
    # The 1 at its end lets a text stand before its own beginning.
    return 1, (*(-ord(letter) for letter in text), 1) if backward else tuple(map(ord, text))

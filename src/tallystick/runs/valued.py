"""The facts, params and metrics of all runs in the ledger, without reading a receipt that was read before."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tallystick.digest import Digest
from tallystick.patterns import regex
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.runs import ledger
from tallystick.runs.indexes import MANY, Index, entries
from tallystick.runs.naming import FACTS, Values, is_by_file

SHORT = 1 << 20

TOGETHER = 500
"""So many receipts are looked at together: a list is read several times as fast as what stands in it."""

_AUTHOR = regex(rb'\{\n  "author": (.*),\n  "cause": (.*),\n')
_CODE = regex(rb'\n  "code": \{\n    "commit": (.*),\n    "dirty": (.*),\n')
_EXIT = regex(rb'\n  "exit_code": (.*),\n')
_REST = regex(
    rb'\n  "seconds": (.*),\n  "seed": (.*),\n  "series": .*,\n'
    rb'  "stage": (.*),\n  "started": (.*),\n  "status": (.*),\n'
)
_INDENTED = regex(rb"\n *")
_METRICS, _OUTS = b'\n  "metrics": ', b',\n  "outs": '
_PARAMS, _PRODUCED_BY = b'\n  "params": ', b',\n  "produced_by": '


def valued(project: Project, progress: Progress = silent) -> Iterator[tuple[str, Values | None]]:
    """The hex digits of all runs with their values, in no order; None where a receipt can't be believed."""
    for part in entries(project, INDEX, progress):
        # One list is read ten times as fast as many small ones.
        for run, facts, params, metrics in json.loads(b"[%s]" % part.rstrip(b"\n").replace(b"\n", b",")):
            # The first fact is the run itself.
            known = {} if facts is None else dict(zip(FACTS, (run, *facts), strict=True))
            yield run, Values(known, params, metrics) if known else None


def _lines(project: Project, identities: Sequence[Digest]) -> Iterator[bytes]:
    """An entry for each run: a line of JSON."""
    some: list[tuple[Digest, bytes]] = []
    for each in ledger.texts(project, identities, MANY):
        some.append(each)
        if len(some) == TOGETHER:
            yield _entries(some)
            some = []
    yield _entries(some)


def _entries(some: Sequence[tuple[Digest, bytes]]) -> bytes:
    """The entries of some receipts: cut out of each, or, where the result is no entry, read as a whole."""
    lines = [cut(identity, data) for identity, data in some]
    try:
        found = json.loads(b"[%s]" % b",".join(line or b"0" for line in lines))
        sound = [line is not None and _is_entry(each) for line, each in zip(lines, found, strict=True)]
    except (ValueError, RecursionError):
        sound = [False] * len(lines)
    pairs = zip(some, lines, sound, strict=True)
    return b"".join((line if good and line else _read(*each)) + b"\n" for each, line, good in pairs)


def cut(identity: Digest, data: bytes) -> bytes | None:
    """The entry of a receipt in its canonical form, whose lines stand where they always do; else None."""
    if Digest.of(data) != identity:
        return None
    author, code = _AUTHOR.match(data), _CODE.match(data, data.find(b'\n  "code": '))
    ended, rest = (
        _EXIT.match(data, data.find(b'\n  "exit_code": ')),
        _REST.match(data, data.find(b'\n  "seconds": ')),
    )
    if author is None or code is None or ended is None or rest is None:
        return None
    metrics = data[data.find(_METRICS) + len(_METRICS) : data.find(_OUTS)]
    params = data[data.find(_PARAMS) + len(_PARAMS) : data.find(_PRODUCED_BY)]
    seconds, seed, stage, started, status = rest.groups()
    facts = (started, stage, status, *code.groups(), seconds, author[1], seed, ended[1], author[2])
    line = b'["%s",[%s],%s,%s]' % (identity.hex().encode(), b",".join(facts), params, metrics)
    # No text holds a line break as it is: what follows one is indentation.
    return _INDENTED.sub(b"", line)


def _is_entry(value: Any) -> bool:
    """Whether what was cut out of a receipt is what was meant."""
    return (
        isinstance(value, list)
        and len(value) == 4
        and isinstance(value[1], list)
        and len(value[1]) == len(FACTS) - 1
        and is_by_file(value[2])
        and is_by_file(value[3])
    )


def _read(identity: Digest, data: bytes) -> bytes:
    """The entry of a receipt that was written in another way, or that can't be believed."""
    values = Values.of_text(identity, data) if Digest.of(data) == identity else None
    told = (None, None, None) if values is None else _told(values)
    return json.dumps((identity.hex(), *told), separators=(",", ":")).encode()


def _told(values: Values) -> tuple[object, ...]:
    return [values.facts[name] for name in FACTS[1:]], values.params, values.metrics


INDEX = Index("values", b"tally values 1\n", SHORT, _lines)

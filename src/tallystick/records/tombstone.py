"""Which packs a collection is about to delete from a remote: what pushes look out for."""

import re

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.fields import versioned
from tallystick.records.syntax import RECEIPT_LIMIT, dump_json, load_json

VERSION = 1
_TIME = regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The packs that are condemned, and since when (for people: nothing depends on the clock)."""

    time: str
    packs: tuple[Digest, ...]


def render(tombstone: Tombstone) -> bytes:
    """Write a tombstone in its canonical form."""
    packs = [str(digest) for digest in sorted(tombstone.packs)]
    return dump_json({"tally": VERSION, "time": tombstone.time, "packs": packs})


def parse(data: bytes | str, source: str = "") -> Tombstone:
    """Read a tombstone; raise BadRecord naming what is wrong."""
    fields = versioned(load_json(data, source, RECEIPT_LIMIT), source, "tombstone", VERSION)
    fields.only("tally", "time", "packs")
    time = fields.line("time")
    if not _TIME.fullmatch(time):
        raise BadRecord("`time` is malformed", source)
    return Tombstone(time, tuple(Digest.parse(text, source) for text in fields.lines("packs")))

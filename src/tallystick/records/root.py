"""What stands at a remote's top: its format, and what each push made reachable."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.fields import Fields, top, versioned
from tallystick.records.syntax import RECEIPT_LIMIT, dump_json, load_json

FORMAT_FILE = "tally-store.json"
FORMAT_LIMIT = 64 << 10
ROOT_LIMIT = 4 * RECEIPT_LIMIT
"""A root may name some hundred thousand digests."""

MOST_DIGESTS = 200_000
"""What reaches more is named by several roots, so that none is too large to be read."""

VERSION = 1

CHUNKER: Mapping[str, int | str] = {
    "algorithm": "fastcdc-2020",
    "smallest_average": 64 << 10,
    "largest_average": 4 << 20,
    "normalization": 2,
}
"""The chunker of this version: another one would cut the same file elsewhere, and share nothing."""

_REPOSITORY = regex(r"[A-Za-z0-9_-]{1,128}")
_COMMIT = regex(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TIME = regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", re.ASCII)


@dataclass(frozen=True, slots=True)
class RootRecord:
    """One push: no commits means that what was pushed was not committed yet."""

    repository: str
    time: str
    commits: tuple[str, ...]
    digests: tuple[Digest, ...]
    packs: tuple[Digest, ...]


def parts(root: RootRecord) -> Iterator[RootRecord]:
    """A root, or where it names very much, several that together name the same; each relies on all packs."""
    digests = sorted(root.digests)
    for start in range(0, len(digests) or 1, MOST_DIGESTS):
        yield replace(root, digests=tuple(digests[start : start + MOST_DIGESTS]))


def render(root: RootRecord) -> bytes:
    """Write a root record in its canonical form: everything sorted."""
    return dump_json(
        {
            "tally": VERSION,
            "repository": root.repository,
            "time": root.time,
            "commits": sorted(root.commits),
            "digests": [str(digest) for digest in sorted(root.digests)],
            "packs": [str(digest) for digest in sorted(root.packs)],
        }
    )


def parse(data: bytes | str, source: str = "") -> RootRecord:
    """Read a root record; raise BadRecord naming what is wrong."""
    fields = versioned(load_json(data, source, ROOT_LIMIT), source, "root record", VERSION)
    fields.only("tally", *(item.name for item in dataclasses.fields(RootRecord)))
    root = RootRecord(
        repository=fields.line("repository"),
        time=fields.line("time"),
        commits=fields.lines("commits"),
        digests=_digests(fields, "digests"),
        packs=_digests(fields, "packs"),
    )
    if not _REPOSITORY.fullmatch(root.repository) or not _TIME.fullmatch(root.time):
        fields.bad("`repository` or `time` is malformed")
    if not all(_COMMIT.fullmatch(commit) for commit in root.commits):
        fields.bad("`commits` must be full commit ids")
    return root


def _digests(fields: Fields, key: str) -> tuple[Digest, ...]:
    return tuple(Digest.parse(text, fields.source) for text in fields.lines(key))


@dataclass(frozen=True, slots=True)
class StoreFormat:
    """What `tally-store.json` says: the layout's version, and where files are cut."""

    version: int = VERSION
    chunker: Mapping[str, int | str] = dataclasses.field(default_factory=lambda: dict(CHUNKER))


def render_format(store: StoreFormat) -> bytes:
    """Write `tally-store.json`."""
    return dump_json({"tally-store": store.version, "chunker": dict(store.chunker)})


def parse_format(data: bytes | str, source: str = FORMAT_FILE) -> StoreFormat:
    """Read `tally-store.json`; raise BadRecord for a later version, or a chunker that this one lacks."""
    try:
        fields = top(load_json(data, source, FORMAT_LIMIT), source, "store of tally")
    except BadRecord as error:
        hint = "delete that file; `tally remote add --force <name> <place>` writes it anew, the data stays"
        raise BadRecord(error.reason, error.source, error.line, hint) from error
    version = fields.integer("tally-store", least=1)
    if version > VERSION:
        raise BadRecord(
            f"the store was made by a later version of tally (format {version}, this one reads {VERSION})",
            source,
            hint="upgrade tallystick",
        )
    chunker = fields.fields("chunker").value
    if chunker != CHUNKER:
        raise BadRecord(
            "the store's chunker is not known to this version of tally", source, None, "upgrade tallystick"
        )
    return StoreFormat(version, dict(chunker))

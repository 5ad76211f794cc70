"""What a push has left complete at a remote, so that the same push again need look at names only."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.records.fields import Fields, top
from tallystick.records.syntax import RECEIPT_LIMIT, dump_json, load_json

_NAME = "settled"

_LASTS = timedelta(days=1)
"""A root record older than this is written anew: what a collection may remove goes by its age."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What a push was of, if no blob is named twice in it: lists of files by path, and a digest of the rest.

    These are so many blobs.
    """

    lists: Mapping[str, Digest]
    rest: Digest
    blobs: int


@dataclass(frozen=True, slots=True)
class Settled:
    """All blobs of a push lie in these packs, named by these indexes: true for ever, if they are there.

    `looked` is the root record of the last push that looked all its blobs up, this one or one before.
    """

    push: str
    root: str
    looked: str
    indexes: Mapping[str, int]
    packs: Mapping[str, int]
    blobs: int
    size: int
    covered: Covered | None = None

    def is_recent(self) -> bool:
        """Whether the root record is young enough to stand for another push."""
        return _is_recent(self.root)

    def goes_on(self) -> bool:
        """Whether another push may look up only what it has beyond this one.

        Among the packs are some that are needed no longer: the sum of such pushes does not last.
        """
        return self.covered is not None and _is_recent(self.looked)


def _is_recent(root: str) -> bool:
    oldest = (datetime.now(UTC) - _LASTS).strftime("%Y%m%dT%H%M%S")
    return root.rpartition("/")[2] >= oldest


def key_of(repository: str, commits: Sequence[str], roots: Iterable[Digest]) -> str:
    """What makes two pushes the same."""
    named = [repository.encode(), *(commit.encode() for commit in sorted(commits)), *sorted(roots)]
    return Digest.of(b"\n".join(named)).hex()


def remember(folder: Path, settled: Settled) -> None:
    """Note a push that has ended well, in place of the one before."""
    fields = {"push": settled.push, "root": settled.root, "indexes": dict(settled.indexes)}
    counts = {"packs": dict(settled.packs), "blobs": settled.blobs, "size": settled.size}
    more: dict[str, object] = {"looked": settled.looked}
    if settled.covered is not None:
        lists = {path: str(digest) for path, digest in settled.covered.lists.items()}
        more |= {"lists": lists, "rest": str(settled.covered.rest)}
    # A note that is lost, or can't be read, costs a longer push.
    write_atomic(folder / _NAME, dump_json({**fields, **counts, **more}), lasting=False)


def recall(folder: Path) -> Settled | None:
    """The note of the last push; None if there is none that can be read."""
    with suppress(BadRecord, OSError):
        fields = top(load_json((folder / _NAME).read_bytes(), _NAME, RECEIPT_LIMIT), _NAME, "note")
        indexes, packs = fields.fields("indexes"), fields.fields("packs")
        blobs = fields.integer("blobs")
        return Settled(
            push=fields.line("push"),
            root=fields.line("root"),
            looked=fields.line("looked"),
            indexes={name: indexes.integer(name, least=1) for name in indexes.value},
            packs={name: packs.integer(name, least=1) for name in packs.value},
            blobs=blobs,
            size=fields.integer("size"),
            covered=_covered(fields, blobs) if fields.has("lists") else None,
        )
    return None


def _covered(fields: Fields, blobs: int) -> Covered:
    lists = fields.fields("lists")
    return Covered({path: lists.digest(path) for path in lists.value}, fields.digest("rest"), blobs)

"""What a push has left complete at a remote, so that the same push again need look at names only."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.records.fields import top
from tallystick.records.syntax import RECEIPT_LIMIT, dump_json, load_json

_NAME = "settled"

_LASTS = timedelta(days=1)
"""A root record older than this is written anew: what a collection may remove goes by its age."""


@dataclass(frozen=True, slots=True)
class Settled:
    """All blobs of a push lie in these packs, named by these indexes: true for ever, if they are there."""

    root: str
    indexes: Mapping[str, int]
    packs: Mapping[str, int]
    blobs: int
    size: int

    def is_recent(self) -> bool:
        """Whether the root record is young enough to stand for another push."""
        oldest = (datetime.now(UTC) - _LASTS).strftime("%Y%m%dT%H%M%S")
        return self.root.rpartition("/")[2] >= oldest


def key_of(repository: str, commits: Sequence[str], roots: Iterable[Digest]) -> str:
    """What makes two pushes the same."""
    named = [repository.encode(), *(commit.encode() for commit in sorted(commits)), *sorted(roots)]
    return Digest.of(b"\n".join(named)).hex()


def remember(folder: Path, key: str, settled: Settled) -> None:
    """Note a push that has ended well, in place of the one before."""
    fields = {"push": key, "root": settled.root, "indexes": dict(settled.indexes)}
    counts = {"packs": dict(settled.packs), "blobs": settled.blobs, "size": settled.size}
    # A note that is lost, or can't be read, costs a longer push.
    write_atomic(folder / _NAME, dump_json({**fields, **counts}), lasting=False)


def recall(folder: Path, key: str) -> Settled | None:
    """The note of the same push; None if there is none that can be read."""
    with suppress(BadRecord, OSError):
        fields = top(load_json((folder / _NAME).read_bytes(), _NAME, RECEIPT_LIMIT), _NAME, "note")
        if fields.line("push") == key:
            indexes, packs = fields.fields("indexes"), fields.fields("packs")
            return Settled(
                root=fields.line("root"),
                indexes={name: indexes.integer(name, least=1) for name in indexes.value},
                packs={name: packs.integer(name, least=1) for name in packs.value},
                blobs=fields.integer("blobs"),
                size=fields.integer("size"),
            )
    return None

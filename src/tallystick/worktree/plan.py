"""Compare what stands at a path with what should stand there; pure."""

from collections.abc import Mapping, Sequence
from typing import Literal

from tallystick.digest import Digest
from tallystick.errors import BadRecord, WouldLoseChanges
from tallystick.frozen import dataclass
from tallystick.records.tree import Entry
from tallystick.worktree.columns import Found, Identity
from tallystick.worktree.folders import shown
from tallystick.worktree.scan import Scan

SHOWN = 5
"""How many paths a message names."""

_UNSAFE = (b"//", b"/./", b"/../", b"/.git/", b"\0")
"""A last look at paths that were checked where they were read: nothing may leave the folder."""


@dataclass(frozen=True, slots=True)
class Present:
    """What stands at a path now: a scan, and the identities of its files as far as they are known."""

    scan: Scan
    identities: Mapping[bytes, Identity]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: entries to write, files of now to delete, files whose executable bit is to change."""

    write: list[Entry]
    remove: list[Found]
    chmod: list[Found]
    replaced: dict[bytes, Found]


def plan(wanted: Sequence[Entry], present: Present | None) -> Plan:
    """The least that makes the present into what is wanted."""
    now = {} if present is None else {found.path: found for found in present.scan.files}
    known = {} if present is None else present.identities
    made = Plan([], [], [], {})
    for entry in wanted:
        found = now.pop(entry.path, None)
        identity = known.get(entry.path)
        if found is None or identity is None or not _same_content(entry, found, identity):
            made.write.append(entry)
            if found is not None:
                made.replaced[entry.path] = found
        elif found.mode != entry.mode:
            made.chmod.append(found)
    made.remove.extend(now.values())
    return made


def check_losses(made: Plan, present: Present | None, expected: Mapping[bytes, Digest]) -> None:
    """Raise WouldLoseChanges if the plan ends files whose bytes are not the expected ones."""
    if present is None:
        return
    losses = [
        found.path
        for found in (*made.replaced.values(), *made.remove)
        if found.mode != "d" and not _expected(found, present.identities, expected)
    ]
    if losses:
        raise lost(present.scan.path, losses)


def check_paths(wanted: Sequence[Entry], path: str, kind: Literal["file", "tree"]) -> None:
    """Raise BadRecord if an entry's path leads out of its tree, or a file is not one entry without a path."""
    if kind == "file":
        if [(entry.path, entry.mode in "fx") for entry in wanted] != [(b"", True)]:
            raise BadRecord("it does not stand for a single file", path)
        return
    joined = b"/%s/" % b"/".join([entry.path for entry in wanted]).lower()
    if wanted and any(part in joined for part in _UNSAFE):
        raise BadRecord("it lists a path that leads out of its folder", path)


def lost(path: str, losses: Sequence[bytes]) -> WouldLoseChanges:
    """The error that names files with changes of the user's."""
    paths = [f"{path}/{shown(loss)}" if loss else path for loss in losses]
    named = ", ".join(f"`{one}`" for one in paths[:SHOWN])
    more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
    return WouldLoseChanges(
        f"changes would be lost in {named}{more}",
        paths,
        hint="keep them with `tally add`, or drop them with `--force`",
    )


def _same_content(entry: Entry, found: Found, identity: Identity) -> bool:
    """Whether only the executable bit can differ."""
    if entry.mode in "fx" and found.mode in "fx":
        return identity.digest == entry.digest
    return entry.mode == found.mode and identity.digest == entry.digest


def _expected(found: Found, known: Mapping[bytes, Identity], expected: Mapping[bytes, Digest]) -> bool:
    identity = known.get(found.path)
    return identity is not None and expected.get(found.path) == identity.digest

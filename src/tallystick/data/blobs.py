"""Which blobs are wanted, and bringing them from the remotes into the local store."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import NamedTuple

from tallystick.data.tracked import Selected, entries_of, tree_text
from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectCorrupt, ObjectMissing, Refused, RemoteUnreachable, TallyError
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project, open_remote
from tallystick.records import tree
from tallystick.records.tree import Entry
from tallystick.store import RemoteStore, transfer

JOBS = 8
"""Transfers at a time, unless the user says otherwise."""

SHOWN = 5
"""How many missing blobs an error names."""

LOCAL = "the local store"


@dataclass(frozen=True, slots=True)
class Brought:
    """What came into the local store."""

    blobs: int = 0
    size: int = 0
    received: int = 0

    def __add__(self, other: "Brought") -> "Brought":
        return Brought(self.blobs + other.blobs, self.size + other.size, self.received + other.received)


class Extent(NamedTuple):
    """How many files something is, and how many bytes these have."""

    files: int
    size: int


def extent(project: Project, selected: Iterable[Selected]) -> Extent:
    """How much selections are, as pointers say; of parts of a tree its text must be in the local store."""
    files = size = 0
    for one in selected:
        pointer = one.tracked.pointer
        if one.parts:
            sizes = [entry.size for entry in wanted_entries(project, one) if entry.mode != "d"]
            files, size = files + len(sizes), size + sum(sizes)
        else:
            files, size = files + (1 if pointer.files is None else pointer.files), size + pointer.size
    return Extent(files, size)


def wanted_entries(project: Project, selected: Selected) -> list[Entry]:
    """The entries of a selection's tree that are meant; the tree's text must be in the local store."""
    entries = entries_of(project, selected.tracked)
    return [entry for entry in entries if selected.covers(entry.path)] if selected.parts else entries


def wanted_digests(project: Project, selected: Iterable[Selected]) -> set[bytes]:
    """The same blobs as `wanted_blobs`, without the paths, for which a large tree takes its time."""
    wanted: set[bytes] = set()
    for one in selected:
        pointer = one.tracked.pointer
        wanted.add(pointer.digest)
        if pointer.kind == "tree" and not one.parts:
            wanted |= tree.contents(tree_text(project, one.tracked), one.tracked.path)
        elif pointer.kind == "tree":
            wanted.update(entry.digest for entry in wanted_entries(project, one) if entry.mode != "d")
    return wanted


def wanted_blobs(project: Project, selected: Iterable[Selected]) -> dict[Digest, str]:
    """The blobs that selections stand for, trees' texts among them, each with a path that needs it."""
    wanted: dict[Digest, str] = {}
    for one in selected:
        path = one.tracked.path
        wanted.setdefault(one.tracked.pointer.digest, path)
        if one.tracked.pointer.kind == "tree":
            for entry in wanted_entries(project, one):
                if entry.mode != "d":
                    wanted.setdefault(
                        entry.digest, f"{path}/{entry.path.decode('utf-8', 'backslashreplace')}"
                    )
    return wanted


def bring(
    project: Project,
    selected: Sequence[Selected],
    *,
    remote: str | None = None,
    jobs: int = JOBS,
    progress: Progress = silent,
) -> Brought:
    """Fetch what selections need and the local store lacks: the lists of files first, then the files.

    Raises Refused for a remote that isn't there, even if nothing is needed of it.
    """
    if remote is not None and remote not in project.config.remotes:
        open_remote(project, remote)
    lists = {
        one.tracked.pointer.digest: one.tracked.path for one in selected if one.tracked.pointer.kind == "tree"
    }
    brought = bring_blobs(project, lists, remote=remote, jobs=jobs, progress=progress)
    missing = project.store.missing(wanted_digests(project, selected))
    # The paths are for an error's message: to collect a hundred thousand takes longer than to find all there.
    paths = partial(wanted_blobs, project, selected)
    return brought + _bring(project, missing, paths, remote=remote, jobs=jobs, progress=progress)


def bring_lists(
    project: Project,
    selected: Iterable[Selected],
    *,
    remote: str | None = None,
    jobs: int = JOBS,
    progress: Progress = silent,
) -> Brought:
    """Fetch the lists of files of tracked folders that the local store lacks."""
    trees = (one.tracked for one in selected if one.tracked.pointer.kind == "tree")
    lists = {tracked.pointer.digest: tracked.path for tracked in trees}
    return bring_blobs(project, lists, remote=remote, jobs=jobs, progress=progress)


def bring_blobs(
    project: Project,
    blobs: Mapping[Digest, str],
    *,
    remote: str | None = None,
    jobs: int = JOBS,
    progress: Progress = silent,
) -> Brought:
    """Fetch blobs that the local store lacks; each is given with a path that needs it.

    Raises ObjectMissing, naming paths, digests and the places tried, when one is nowhere.
    """
    missing = project.store.missing(blobs)
    return _bring(project, missing, lambda: blobs, remote=remote, jobs=jobs, progress=progress)


def _bring(
    project: Project,
    missing: Set[bytes],
    paths: Callable[[], Mapping[Digest, str]],
    *,
    remote: str | None,
    jobs: int,
    progress: Progress,
) -> Brought:
    """Fetch blobs that the local store lacks; `paths` is asked for what needs them when there is no way."""
    if not missing:
        return Brought()
    if remote is None and project.config.default_remote is None:
        raise nowhere(
            missing, paths(), [LOCAL], hint="name a remote: `tally remote add origin <directory or URL>`"
        )
    unopened: list[TallyError] = []
    remotes = _remotes(project, remote, unopened, progress)
    try:
        return _fetched(project, remotes, missing, jobs, progress)
    except ObjectMissing as error:
        if unopened:
            raise unopened[0] from error
        raise nowhere(error.digests, paths(), [LOCAL, *error.places]) from error
    except ObjectCorrupt as error:
        raise _damaged(error, paths()) from error


def bring_held(
    project: Project,
    blobs: Iterable[Digest],
    *,
    remote: str | None = None,
    jobs: int = JOBS,
    progress: Progress = silent,
) -> Brought:
    """Fetch those of some blobs that the remote holds; nothing depends on the others."""
    missing = project.store.missing(blobs)
    if not missing or (remote is None and project.config.default_remote is None):
        return Brought()
    store = open_remote(project, remote)
    return _fetched(project, [store], missing - store.missing(missing), jobs, progress)


def lacking(project: Project, selected: Iterable[Selected]) -> Brought:
    """How much the local store lacks of what selections stand for."""
    lack = Brought()
    for one in selected:
        pointer = one.tracked.pointer
        if not project.store.missing([pointer.digest]):
            entries = {entry.digest: entry.size for entry in wanted_entries(project, one)}
            missing = project.store.missing(entries)
            lack += Brought(len(missing), sum(entries[digest] for digest in missing))
        else:
            lack += Brought(1 if pointer.files is None else pointer.files + 1, pointer.size)
    return lack


def _fetched(
    project: Project, remotes: Iterable[RemoteStore], missing: Iterable[bytes], jobs: int, progress: Progress
) -> Brought:
    fetched = transfer.fetch(remotes, project.store, missing, jobs=jobs, progress=progress)
    return Brought(fetched.blobs, fetched.size, fetched.received_bytes)


def _remotes(
    project: Project, remote: str | None, unopened: list[TallyError], progress: Progress
) -> Iterator[RemoteStore]:
    """The remote that is meant; if none was named, after it all others, opened only when they are needed.

    One that can't be opened must not hide what another has: it is noted, and passed over, and the user told.
    """
    first = remote or project.config.default_remote
    try:
        yield open_remote(project, remote)
    except (RemoteUnreachable, Refused, BadRecord) as error:
        unopened.append(error)
    for name in project.config.remotes if remote is None else ():
        if name != first:
            with contextlib.suppress(RemoteUnreachable, Refused, BadRecord):
                other = open_remote(project, name)
                if unopened:
                    progress.say(f"note: {unopened[0].message}; `{name}` is asked instead")
                yield other


def _damaged(error: ObjectCorrupt, blobs: Mapping[Digest, str]) -> ObjectCorrupt:
    """The error that every copy found of some blobs is damaged, naming some of the paths that need them."""
    found = sorted((blobs.get(Digest(digest), "?"), Digest(digest)) for digest in error.digests)
    named = ", ".join(f"`{path}` ({digest})" for path, digest in found[:SHOWN])
    return ObjectCorrupt(
        f"{error.message}: {named}; found damaged in {', '.join(error.places)}",
        error.digests,
        error.places,
        hint="name another remote that has it (`--remote`), or delete the damaged file there and push again"
        " from where the data is",
    )


def nowhere(
    digests: Iterable[bytes], blobs: Mapping[Digest, str], places: Sequence[str], hint: str | None = None
) -> ObjectMissing:
    """The error that blobs are in none of the places, naming some of the paths that need them."""
    missing = sorted((blobs.get(Digest(digest), "?"), Digest(digest)) for digest in set(digests))
    named = [f"`{path}` ({digest})" for path, digest in missing[:SHOWN]]
    more = [f"and {len(missing) - SHOWN:,} more"] if len(missing) > SHOWN else []
    what = "1 blob is" if len(missing) == 1 else f"{len(missing):,} blobs are"
    return ObjectMissing(
        f"{what} missing: {', '.join(named + more)}; looked in {', '.join(places)}",
        [digest for _path, digest in missing],
        places,
        hint or "ask whoever made it to `tally push`, or make it again with `tally run`",
    )

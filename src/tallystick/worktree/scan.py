"""See what stands at a path: its files with what a later look needs to tell whether they changed."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Literal

from tallystick.digest import Digest
from tallystick.errors import Refused
from tallystick.files import translated
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.records import tree
from tallystick.records.tree import EMPTY, Entry
from tallystick.worktree import looking
from tallystick.worktree.columns import NOTHING, Files, Found, Identities, Identity, StatCache
from tallystick.worktree.folders import Folders, shown
from tallystick.worktree.links import StoreLinks
from tallystick.worktree.looking import Told
from tallystick.worktree.walking import Walk, kind

_LINK = ord("l")


@dataclass(frozen=True, slots=True)
class Scan:
    """Everything at a tracked path, sorted; `links` holds the targets, `stamp` the time before the look.

    Of files that are links to the store's, `stored` says where those lie; `told` is what was seen of files
    that were remembered, where many were.
    """

    path: str
    kind: Literal["file", "tree"]
    files: Files
    links: dict[bytes, bytes]
    stamp: int
    top: bytes
    stored: dict[bytes, bytes] = field(default_factory=dict)
    told: Told | None = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(self.files.sizes)

    def place(self, path: bytes) -> bytes:
        """The absolute path of a path inside, or of the store's file for a link to it."""
        if path in self.stored:
            return self.stored[path]
        return b"%s/%s" % (self.top, path) if path else self.top

    def entries(self, identities: Mapping[bytes, Identity]) -> list[Entry]:
        """The tree's entries; links and empty folders need no identity of the caller's."""
        return [
            Entry(found.mode, identities[found.path].digest, found.size, found.path)
            if found.mode in "fx"
            else Entry(found.mode, self.content(found.path), found.size, found.path)
            for found in self.files
        ]

    def text(self, identities: Identities) -> bytearray:
        """The tree's text; every identity must be known."""
        files = self.files
        return tree.write(files.paths, files.modes, identities.digests, files.sizes)

    def looks(self, rows: Sequence[int]) -> Iterator[tuple[bytes, int, int, int, int]]:
        """The absolute paths of some files, and what the system said of them: size, two times, inode."""
        paths = map(self.place, map(self.files.paths.__getitem__, rows))
        return zip(paths, *(map(column.__getitem__, rows) for column in self.files.numbers), strict=True)

    def part(self, covers: Callable[[bytes], bool]) -> "Scan":
        """The same look at only some of the files."""
        rows = [row for row, path in enumerate(self.files.paths) if covers(path)]
        return replace(self, files=self.files.select(rows))

    def content(self, path: bytes) -> Digest:
        """What a link or an empty folder holds."""
        target = self.links.get(path)
        return EMPTY if target is None else Digest.of(target)


def scan(
    root: str | os.PathLike[str],
    path: str,
    stamp: int,
    ours: StoreLinks,
    cache: StatCache = NOTHING,
    progress: Progress = silent,
) -> Scan | None:
    """Look at a path of a worktree, of which a cache tells what was there; None when nothing is there now.

    Links of `ours` count as files of the store.

    Raises Refused for what can't be tracked: links as such or out of the tree, devices, pipes, other git
    repositories, pointers inside.
    """
    name = os.fsencode(path)
    with translated(path), Folders(root) as folders:
        status = folders.look(name)
        if status is None:
            return None
        top = os.path.join(os.fsencode(root), name)
        if stat.S_ISREG(status.st_mode):
            return Scan(path, "file", Files.of([found_of(b"", status)]), {}, stamp, top)
        if stat.S_ISLNK(status.st_mode) and (found := ours.behind(folders, name)) is not None:
            files = Files.of([found_of(b"", found.status)])
            return Scan(path, "file", files, {}, stamp, top, {b"": found.place})
        if not stat.S_ISDIR(status.st_mode):
            if stat.S_ISLNK(status.st_mode):
                ours.check(name, os.readlink(top))
            raise Refused(
                f"`{shown(name)}` is {kind(status.st_mode)}", hint="track files and folders themselves"
            )
        files, told = _walked(top, name, folders.at(name), cache, progress)
        links, stored = _links(files, top, name, ours)
    return Scan(path, "tree", files, links, stamp, top, stored, told)


def check_target(path: bytes, target: bytes, tree: str) -> None:
    """Raise Refused unless a link inside a tree stays in it.

    Steps up are allowed at the target's beginning only: after the name of another link, `..` would go up from
    wherever that one leads.
    """
    steps = target.split(b"/")
    up = 0
    while up < len(steps) and steps[up] == b"..":
        up += 1
    depth = path.count(b"/")
    if not target or target.startswith(b"/") or up > depth or b".." in steps[up:] or b"\0" in target:
        raise Refused(
            f"`{tree}/{shown(path)}` is a link out of the folder (to `{shown(target)}`)",
            hint="put what it points to inside, and link to it relatively",
        )


def _walked(
    top: bytes, name: bytes, folder: int, cache: StatCache, progress: Progress
) -> tuple[Files, Told | None]:
    """Every file below a folder; with helpers, where many are remembered, and what they saw of those."""
    if not looking.pays(cache):
        return Walk(top, name).files(), None
    with looking.begun(folder, cache) as look:
        walk = Walk(top, name, cache.files.paths)
        progress.begin(f"looking at `{shown(name)}`", files=len(cache.files))
        told = look.told(walk.runs(), progress)
        progress.end()
    return walk.files(told.files), told


def _links(
    files: Files, top: bytes, inside: bytes, ours: StoreLinks
) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Where the links lead, which is inside; those to the store's files become these, and are told apart."""
    links: dict[bytes, bytes] = {}
    stored: dict[bytes, bytes] = {}
    for row in [row for row, mode in enumerate(files.modes) if mode == _LINK] if b"l" in files.modes else ():
        path = files.paths[row]
        full, target = b"%s/%s" % (inside, path), os.readlink(b"%s/%s" % (top, path))
        found = ours.object_of(full, target)
        if found is None:
            try:
                check_target(path, target, shown(inside))
            except Refused:
                ours.check(full, target)
                raise
            links[path] = target
        else:
            stored[path] = found.place
            files.put(row, found_of(path, found.status))
    return links, stored


def found_of(path: bytes, status: os.stat_result) -> Found:
    """A file as a look at it finds it."""
    mode = "x" if status.st_mode & 0o100 else "f"
    return Found(path, mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

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
from tallystick.patterns import regex
from tallystick.records import tree
from tallystick.records.tree import EMPTY, Entry
from tallystick.worktree.columns import LATEST, Column, Files, Found, Identities, Identity
from tallystick.worktree.folders import Folders, shown
from tallystick.worktree.links import StoreLinks

_LEFT_OVER = regex(rb"\.tally-[0-9]+-[0-9a-f]{16}")
"""Names of our own unfinished files (files.py), which a killed process may have left."""

_POINTER = b".tally"
_LINK = ord("l")

_BATCH = 1024
"""How many files are asked for at once: what the system says of one takes half a kilobyte."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Everything at a tracked path, sorted; `links` holds the targets, `stamp` the time before the look.

    Of files that are links to the store's, `stored` says where those lie.
    """

    path: str
    kind: Literal["file", "tree"]
    files: Files
    links: dict[bytes, bytes]
    stamp: int
    top: bytes
    stored: dict[bytes, bytes] = field(default_factory=dict)

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


def scan(root: str | os.PathLike[str], path: str, stamp: int, ours: StoreLinks) -> Scan | None:
    """Look at a path of a worktree; None when nothing is there. Links of `ours` count as files of the store.

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
                f"`{shown(name)}` is {_kind(status.st_mode)}", hint="track files and folders themselves"
            )
        folders.at(name)
        files = _walk(top, name)
        links, stored = _links(files, top, name, ours)
    return Scan(path, "tree", files, links, stamp, top, stored)


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


def _walk(top: bytes, name: bytes) -> Files:
    """Every file below a folder."""
    files = Files()
    waiting = [b""]
    while waiting:
        prefix = waiting.pop()
        try:
            empty = _look_into(top, name, prefix, files, waiting)
        except FileNotFoundError:
            continue
        except PermissionError as error:
            place = os.path.join(name, prefix)
            raise Refused(f"`{shown(place)}` can't be read: {error.strerror}") from error
        if prefix and empty:
            files.append(_empty_folder(top, prefix[:-1]))
    files.sort()
    return files


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


def _look_into(top: bytes, inside: bytes, prefix: bytes, files: Files, waiting: list[bytes]) -> bool:
    """Add one folder's files, and its folders to those that wait; say whether nothing is in it."""
    place = b"%s/%s" % (top, prefix)
    names = os.listdir(place)
    names.sort()
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    folders: list[bytes] = []
    try:
        joined = b"\0".join(names)
        if b".tally" in joined or b".git" in joined:
            names = [each for each in names if _is_data(inside, prefix + each, folder)]
        count = 0
        for start in range(0, len(names), _BATCH):
            batch, looks = _looked(names[start : start + _BATCH], folder)
            count += len(batch)
            _note(files, folders, inside, [prefix + each for each in batch], looks)
    finally:
        os.close(folder)
    # The last is taken first.
    waiting.extend(path + b"/" for path in reversed(folders))
    return not count


def _looked(names: list[bytes], folder: int) -> tuple[list[bytes], list[os.stat_result]]:
    """What the system says of names in a folder, without those that are gone already."""
    look = os.stat
    try:
        return names, [look(name, dir_fd=folder, follow_symlinks=False) for name in names]
    except FileNotFoundError:
        there = [(name, status) for name in names if (status := _look(name, folder))]
        return [name for name, _ in there], [status for _, status in there]


def _look(name: bytes, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _note(
    files: Files, folders: list[bytes], inside: bytes, paths: list[bytes], looks: list[os.stat_result]
) -> None:
    """Put what the system says of many files into the columns; folders apart."""
    modes = [look.st_mode for look in looks]
    kinds = {mode: _mode(mode) for mode in set(modes)}
    if not all(kinds.values()):
        for path, mode in zip(paths, modes, strict=True):
            if stat.S_ISDIR(mode):
                folders.append(path)
            elif not kinds[mode]:
                raise Refused(f"`{shown(inside + b'/' + path)}` is {_kind(mode)}, which can't be tracked")
        paths = [path for path, mode in zip(paths, modes, strict=True) if kinds[mode]]
        looks = [look for look in looks if kinds[look.st_mode]]
        modes = [look.st_mode for look in looks]
    files.paths.extend(paths)
    files.modes.extend(map(kinds.__getitem__, modes))
    files.sizes.extend([look.st_size for look in looks])
    _extend(files.mtimes, [look.st_mtime_ns for look in looks])
    _extend(files.ctimes, [look.st_ctime_ns for look in looks])
    files.inodes.extend([look.st_ino for look in looks])


def _extend(column: Column, times: list[int]) -> None:
    """Add times to a column."""
    if times and max(times) > LATEST:
        times = [min(each, LATEST) for each in times]
    column.extend(times)


def _mode(mode: int) -> int:
    """A tree's mode; 0 for what no tree can hold, and for folders."""
    if stat.S_ISREG(mode):
        return ord("x" if mode & 0o100 else "f")
    return _LINK if stat.S_ISLNK(mode) else 0


def found_of(path: bytes, status: os.stat_result, mode: str | None = None) -> Found:
    """A file as a look at it finds it."""
    if mode is None:
        mode = "x" if status.st_mode & 0o100 else "f"
    return Found(path, mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _empty_folder(top: bytes, path: bytes) -> Found:
    status = os.lstat(b"%s/%s" % (top, path))
    return found_of(path, status, "d")._replace(size=0)


def _is_data(inside: bytes, path: bytes, folder: int) -> bool:
    """Whether a name in a folder is not a file that we left unfinished.

    Raises Refused for another repository or a pointer inside a tracked folder.
    """
    place, name = shown(inside + b"/" + path), path.rpartition(b"/")[2]
    if name == b".git":
        raise Refused(f"`{place}` belongs to another git repository", hint="track its parts one by one")
    if name.endswith(_POINTER):
        status = _look(name, folder)
        if status is not None and stat.S_ISREG(status.st_mode):
            raise Refused(
                f"`{place}` is a pointer inside a folder", hint="what it tracks can't be tracked twice"
            )
    return _LEFT_OVER.fullmatch(name) is None


def _kind(mode: int) -> str:
    """What else a path can be."""
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "not a file")

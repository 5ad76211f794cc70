"""See what stands at a path: its files with what a later look needs to tell whether they changed."""

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Literal, NamedTuple

from tallystick.digest import Digest
from tallystick.errors import Refused
from tallystick.files import translated
from tallystick.frozen import dataclass
from tallystick.records.tree import EMPTY, Entry
from tallystick.worktree.folders import Folders, shown

_LEFT_OVER = re.compile(rb"\.tally-[0-9]+-[0-9a-f]{16}")
"""Names of our own unfinished files (files.py), which a killed process may have left."""

_POINTER = b".tally"


class Found(NamedTuple):
    """A file as the system describes it; the path is relative to the tracked path, empty for a single file.

    The mode is a tree's: `f` file, `x` executable, `l` link, `d` empty folder.
    """

    path: bytes
    mode: str
    size: int
    mtime: int
    ctime: int
    inode: int


class Identity(NamedTuple):
    """What is known of a file's bytes: who they are, and by what their change is noticed."""

    digest: Digest
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Scan:
    """Everything at a tracked path, sorted; `links` holds the targets, `stamp` the time before the look."""

    path: str
    kind: Literal["file", "tree"]
    files: list[Found]
    links: dict[bytes, bytes]
    stamp: int
    top: bytes

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(found.size for found in self.files)

    def location(self, found: Found) -> bytes:
        """The absolute path of a file."""
        return b"%s/%s" % (self.top, found.path) if found.path else self.top

    def entries(self, identities: Mapping[bytes, Identity]) -> list[Entry]:
        """The tree's entries; links and empty folders need no identity of the caller's."""
        return [
            Entry(found.mode, identities[found.path].digest, found.size, found.path)
            if found.mode in "fx"
            else self._special(found)
            for found in self.files
        ]

    def part(self, covers: Callable[[bytes], bool]) -> "Scan":
        """The same look at only some of the files."""
        return replace(self, files=[found for found in self.files if covers(found.path)])

    def _special(self, found: Found) -> Entry:
        target = self.links.get(found.path)
        digest = EMPTY if target is None else Digest.of(target)
        return Entry(found.mode, digest, found.size, found.path)


def scan(root: str | os.PathLike[str], path: str, stamp: int) -> Scan | None:
    """Look at a path of a worktree; None when nothing is there.

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
            return Scan(path, "file", [found_of(b"", status)], {}, stamp, top)
        if not stat.S_ISDIR(status.st_mode):
            raise Refused(
                f"`{shown(name)}` is {_kind(status.st_mode)}", hint="track files and folders themselves"
            )
        folders.at(name)
        files, links = _walk(top, name)
    return Scan(path, "tree", files, links, stamp, top)


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


def _walk(top: bytes, name: bytes) -> tuple[list[Found], dict[bytes, bytes]]:
    """Every file below a folder."""
    files: list[Found] = []
    links: dict[bytes, bytes] = {}
    waiting = [b""]
    while waiting:
        prefix = waiting.pop()
        before = len(files) + len(waiting)
        try:
            _look_into(top, name, prefix, files, waiting)
        except FileNotFoundError:
            continue
        except PermissionError as error:
            place = os.path.join(name, prefix)
            raise Refused(f"`{shown(place)}` can't be read: {error.strerror}") from error
        if prefix and len(files) + len(waiting) == before:
            files.append(_empty_folder(top, prefix[:-1]))
    for found in files:
        if found.mode == "l":
            target = os.readlink(b"%s/%s" % (top, found.path))
            check_target(found.path, target, shown(name))
            links[found.path] = target
    files.sort(key=itemgetter(0))
    return files, links


def _look_into(top: bytes, tree: bytes, prefix: bytes, files: list[Found], waiting: list[bytes]) -> None:
    """Add one folder's files, and its folders to those that wait."""
    add = files.append
    with os.scandir(b"%s/%s" % (top, prefix)) as listing:
        for entry in listing:
            name = entry.name
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            mode = status.st_mode
            if name.endswith((_POINTER, b".git")) or name.startswith(b".tally-"):
                if _LEFT_OVER.fullmatch(name):
                    continue
                _refuse_name(tree, prefix + name, mode)
            # Written out, not asked of `stat`: this loop runs for every file of every look.
            kind = mode & 0o170000
            if kind == 0o100000:
                add(
                    Found(
                        prefix + name,
                        "x" if mode & 0o100 else "f",
                        status.st_size,
                        status.st_mtime_ns,
                        status.st_ctime_ns,
                        status.st_ino,
                    )
                )
            elif kind == 0o040000:
                waiting.append(prefix + name + b"/")
            else:
                add(_special(tree, prefix + name, status))


def found_of(path: bytes, status: os.stat_result, mode: str | None = None) -> Found:
    """A file as a look at it finds it."""
    if mode is None:
        mode = "x" if status.st_mode & 0o100 else "f"
    return Found(path, mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _empty_folder(top: bytes, path: bytes) -> Found:
    status = os.lstat(b"%s/%s" % (top, path))
    return found_of(path, status, "d")._replace(size=0)


def _special(tree: bytes, path: bytes, status: os.stat_result) -> Found:
    """A symbolic link; anything else can't be tracked."""
    if stat.S_ISLNK(status.st_mode):
        return found_of(path, status, "l")
    raise Refused(f"`{shown(tree + b'/' + path)}` is {_kind(status.st_mode)}, which can't be tracked")


def _refuse_name(tree: bytes, path: bytes, mode: int) -> None:
    """Raise Refused for another repository or a pointer inside a tracked folder."""
    place = shown(tree + b"/" + path)
    name = path.rpartition(b"/")[2]
    if name == b".git":
        raise Refused(f"`{place}` belongs to another git repository", hint="track its parts one by one")
    if name.endswith(_POINTER) and stat.S_ISREG(mode):
        raise Refused(f"`{place}` is a pointer inside a folder", hint="what it tracks can't be tracked twice")


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

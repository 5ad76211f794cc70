"""Tell the links that we place, to large files of this repository's own store, from all others."""

import os
import re
import stat
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from tallystick.errors import Refused
from tallystick.patterns import regex
from tallystick.worktree.folders import Folders, shown

_NAMED = regex(rb"(?:.*/)?tally/objects/([0-9a-f]{2})/(\1[0-9a-f]{62})", re.DOTALL)
"""How a link to an object of any local store ends."""


class Object(NamedTuple):
    """A file of the store that a link leads to: where it lies, and what the system says of it."""

    place: bytes
    status: os.stat_result


class StoreLinks:
    """Links from one worktree into the local store, `home`: each path has one that counts for a digest.

    It is relative where the store lies in the worktree's own folder, so that both can be moved together;
    else, as in a linked worktree, it is absolute.
    """

    def __init__(self, root: Path, home: Path) -> None:
        self._root = root
        self._home = home

    def target(self, path: bytes, digest: bytes) -> bytes:
        """What a link at a path of the worktree says, to lead to an object."""
        name = digest.hex().encode()
        up = b"" if self._objects.startswith(b"/") else b"../" * path.count(b"/")
        return b"%s%s/%s/%s" % (up, self._objects, name[:2], name)

    def object_of(self, path: bytes, target: bytes) -> Object | None:
        """The object that a link at a path leads to; None for a link that isn't ours, or leads nowhere.

        Nothing is followed: the target is compared, and the object looked at where the store has it. One that
        was found to be edited in place, and set aside, is still what the link stands for.
        """
        named = _NAMED.fullmatch(target)
        if named is None or target != self.target(path, bytes.fromhex(named[2].decode())):
            return None
        home = os.fsencode(self._home)
        for inside in (b"objects/%s/%s" % (named[1], named[2]), b"quarantine/%s" % named[2]):
            place = b"%s/%s" % (home, inside)
            try:
                status = os.lstat(place)
            except FileNotFoundError:
                continue
            return Object(place, status) if stat.S_ISREG(status.st_mode) else None
        return None

    def behind(self, folders: Folders, path: bytes) -> Object | None:
        """The object that stands for a path of the worktree; None where no link of ours is."""
        folder, name = folders.around(path)
        try:
            return self.object_of(path, os.readlink(name, dir_fd=folder))
        except OSError:
            return None

    def look(self, folders: Folders, path: bytes) -> os.stat_result | None:
        """What stands at a path, for a link of ours its object; None for nothing."""
        status = folders.look(path)
        if status is None or not stat.S_ISLNK(status.st_mode):
            return status
        found = self.behind(folders, path)
        return status if found is None else found.status

    def check(self, path: bytes, target: bytes) -> None:
        """Raise Refused for a link whose object is gone: what it stood for is not known any more."""
        if self._is_lost(path, target):
            raise Refused(
                f"`{shown(path)}` is a link to a file of a local store that isn't there any more",
                hint="`tally checkout` puts back what is tracked",
            )

    def drop_lost(self, path: bytes) -> int:
        """Delete the links at a path that lead to where objects were, and hold nothing; say how many."""
        dropped, root = 0, os.fsencode(self._root)
        with Folders(self._root) as folders:
            for place in list(_links(b"%s/%s" % (root, path))):
                inside = place.removeprefix(root + b"/")
                if self._is_lost(inside, os.readlink(place)):
                    folder, name = folders.around(inside)
                    os.unlink(name, dir_fd=folder)
                    dropped += 1
        return dropped

    def _is_lost(self, path: bytes, target: bytes) -> bool:
        """Whether a link leads to where an object was, of this store or another, and nothing is there."""
        if _NAMED.fullmatch(target) is None or self.object_of(path, target) is not None:
            return False
        return not os.path.exists(os.path.join(os.fsencode(self._root), path))

    @cached_property
    def _objects(self) -> bytes:
        """The folder of objects, from the worktree's root where it lies below."""
        root, objects = (os.fsencode(os.path.realpath(path)) for path in (self._root, self._home / "objects"))
        return objects.removeprefix(root.rstrip(b"/") + b"/")


def _links(top: bytes) -> Iterator[bytes]:
    """All links at a place."""
    if os.path.islink(top):
        yield top
    for folder, _, names in os.walk(top):
        yield from filter(os.path.islink, (b"%s/%s" % (folder, name) for name in names))

"""The users' files: what stands at a path, whether it changed, and the only writer of them."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from operator import itemgetter
from pathlib import Path
from typing import Literal

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.paths import check_path
from tallystick.progress import Progress, silent
from tallystick.records.tree import Entry
from tallystick.worktree import aside, ignore, place, scan, singles, statcache
from tallystick.worktree.aside import Aside
from tallystick.worktree.block import SPOT, Lying
from tallystick.worktree.clock import Clock
from tallystick.worktree.columns import NOTHING, Column, Found, Identities, Identity, StatCache
from tallystick.worktree.fresh import Contents
from tallystick.worktree.links import StoreLinks
from tallystick.worktree.place import Placed
from tallystick.worktree.plan import Present
from tallystick.worktree.scan import Scan
from tallystick.worktree.statcache import NO_FINGERPRINT, Known
from tallystick.worktree.writing import Content, Stored, Verified

__all__ = [
    "NO_FINGERPRINT",
    "SPOT",
    "Aside",
    "Column",
    "Content",
    "Contents",
    "Found",
    "Identities",
    "Identity",
    "Known",
    "Lying",
    "Placed",
    "Present",
    "Scan",
    "StatCache",
    "Stored",
    "Verified",
    "Worktree",
]

_TICKS = 10
"""How often to look at a clock that should move every few milliseconds."""


@dataclass(frozen=True, slots=True)
class Worktree:
    """One worktree; `home` is the common `.git/tally`, `name` tells worktrees of one repository apart."""

    root: Path
    home: Path
    name: str
    clock: Clock = field(default_factory=Clock, repr=False, compare=False)

    @property
    def ours(self) -> StoreLinks:
        """What tells links to the local store from others."""
        return StoreLinks(self.root, self.home)

    @property
    def cache(self) -> Path:
        """The folder of this worktree's stat caches."""
        return self.home / "stat" / self.name

    def scan(self, path: str, cache: StatCache = NOTHING, progress: Progress = silent) -> Scan | None:
        """Look at a path; None if nothing is there, Refused for what can't be tracked.

        With the cache that was saved for it a large folder is looked at by several processes.
        """
        # A path object for each of ten thousand pointers would take longer than the looks at their files.
        folder = os.path.join(self.home, "stat", self.name)
        stamp = self.clock.before(folder, os.path.join(self.root, check_path(path)))
        return scan.scan(self.root, path, stamp, self.ours, cache, progress)

    def scan_files(self, paths: Iterable[str], *, others: bool = True) -> Scan:
        """Look at single files of any folders, relative to the root; whatever else is there is left out.

        With `others` those in other repositories count, as submodules are.
        """
        stamp = self.clock.before(self.cache, os.fspath(self.root))
        # A path holds no zero byte, and to encode each by itself takes a third as long as to look at it.
        joined = os.fsencode("\0".join(paths))
        return singles.scan(self.root, joined.split(b"\0") if joined else (), stamp, others=others)

    def recalled_files(self, seen: Scan, cache: StatCache | None = None) -> Identities:
        """Who those of such files are that nobody touched since they were remembered; nothing is read."""
        if cache is None:
            cache = singles.part(statcache.load(self._singles), seen.files)
        return statcache.recalled(seen, cache)

    def known_files(self, seen: Scan, progress: Progress = silent) -> Known:
        """Tell which of such files are known; the rest is to be hashed, and all to be kept."""
        return statcache.known(seen, singles.part(statcache.load(self._singles), seen.files), progress)

    def keep_files(self, seen: Scan, identities: Identities) -> None:
        """Remember such files, beside all that were looked at before."""
        before = statcache.load(self._singles)
        statcache.keep(self._singles, singles.joined(before, seen, identities))

    def load(self, pointer_path: str) -> StatCache:
        """What was saved for a pointer; empty if nothing was."""
        return statcache.load(os.path.join(self.home, "stat", self.name, check_path(pointer_path)))

    def save(
        self,
        pointer_path: str,
        seen: Scan,
        identities: Identities,
        digest: Digest | None = None,
    ) -> None:
        """Remember the identities of a scan's files until they change, and the digest of all together."""
        statcache.save(self.cache / check_path(pointer_path), seen, identities, digest)

    def remember(
        self,
        pointer_path: str,
        path: str,
        present: Present | None,
        placed: Placed,
        digest: Digest | None = None,
        base: StatCache | None = None,
    ) -> None:
        """Save what `place` made of all that stood at a path, so that the next look need not read it.

        With a `base`, `present` is only those files that are not as it says any more.
        """
        file = self.cache / check_path(pointer_path)
        if placed.rows is not None:
            stamp = self._later(path, placed.rows.newest)
            statcache.keep(file, statcache.encode(stamp, placed.rows, digest))
            return
        if base is not None and present is not None:
            merged = statcache.merged(base, present, placed)
            stamp = self._later(path, merged.files.newest)
            statcache.keep(file, replace(merged, stamp=stamp, digest=digest))
            return
        scan, identities = (None, {}) if present is None else (present.scan, present.identities)
        rows = sorted(statcache.after(scan, identities, placed).items(), key=itemgetter(0))
        newest = max((found.ctime for found, _ in placed.arrived.values()), default=0)
        stamp = self._later(path, newest)
        statcache.write(file, stamp, [row for _, row in rows], digest)

    def known(self, seen: Scan, cache: StatCache, progress: Progress = silent) -> Known:
        """Tell which of a scan's files the cache knows; the rest is to be hashed."""
        return statcache.known(seen, cache, progress)

    def place(
        self,
        path: str,
        kind: Literal["file", "tree"],
        wanted: Sequence[Entry],
        contents: Contents,
        *,
        lying: Callable[[], Lying] = Lying,
        present: Present | None = None,
        expected: Mapping[bytes, Digest] | None = None,
        force: bool = False,
        progress: Progress = silent,
    ) -> Placed:
        """Make a path hold the wanted entries, touching only what differs from `present`.

        `contents` is asked once for what is needed, and where nothing is present, only for what is not
        `lying` in files of the store as it is. Files of `present` may be replaced or removed if their
        digest is the one in `expected`, or by `force`; else WouldLoseChanges is raised, nothing touched.
        """
        order = place.Order(check_path(path), kind, force, progress, self.ours)
        source = place.Source(contents, lying)
        return place.place(self.root, self._scratch, order, wanted, source, present, expected or {})

    def remove(
        self,
        path: str,
        present: Present,
        *,
        expected: Mapping[bytes, Digest] | None = None,
        force: bool = False,
    ) -> Placed:
        """Delete what a scan saw at a path, under the conditions of `place`."""
        order = place.Order(check_path(path), present.scan.kind, force, silent, self.ours)
        return place.remove(self.root, order, present, expected or {})

    def unprotect(self, path: str, files: Iterable[Found]) -> int:
        """Make files at a path writable, by copies where the store shares them; say how many were not."""
        return place.unprotect(self.root, check_path(path), files, self.ours)

    def link_to(self, path: str, inside: bytes, digest: Digest) -> bytes:
        """What a link in the place of a file says to lead to the store's."""
        full = os.fsencode(check_path(path))
        return self.ours.target(b"%s/%s" % (full, inside) if inside else full, digest)

    def exchange(
        self, path: str, entries: Sequence[Entry], contents: Contents, present: Present, progress: Progress
    ) -> Placed:
        """Write files at a path over the same ones, so that they lie there in another way."""
        order = place.Order(check_path(path), present.scan.kind, False, progress, self.ours)
        return place.exchange(self.root, self._scratch, order, entries, contents, present)

    def drop_lost_links(self, path: str) -> int:
        """Delete links at a path that lead to where the store's files were; say how many."""
        return self.ours.drop_lost(os.fsencode(check_path(path)))

    def move_aside(self, path: str) -> Aside | None:
        """Move what stands at a path out of the way; None if nothing does."""
        return aside.move_aside(self.root, self._asides, check_path(path))

    def restore(self, moved: Aside) -> bool:
        """Put something back, unless its path is taken; say whether it was put back."""
        return aside.restore(self.root, moved)

    def discard(self, moved: Aside) -> None:
        """Delete something that was moved aside."""
        aside.discard(moved)

    def asides(self) -> list[Aside]:
        """What is aside now, of this process, another or a dead one."""
        return aside.leftovers(self._asides)

    def update_ignore(self, folder: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Path | None:
        """Hide names of a folder from git, or show them again; return the `.gitignore` if it changed."""
        return ignore.update(self.root, folder, add, remove)

    def unpointed(self, folder: str) -> list[str]:
        """The names in a folder that a line for their kind hides from git although no pointer tracks them."""
        return ignore.unpointed(self.root, folder)

    @property
    def _singles(self) -> Path:
        return self.home / "singles" / self.name

    @property
    def _scratch(self) -> Path:
        return self.home / "placing"

    @property
    def _asides(self) -> Path:
        return self.home / "aside" / self.name

    def _later(self, path: str, newest: int) -> int:
        """A time of the file system after another one, waiting a tick of its clock if need be."""
        for _ in range(_TICKS):
            stamp = self.clock.now(self.cache, os.path.join(self.root, path))
            if stamp > newest:
                break
            time.sleep(0.002)
        return stamp

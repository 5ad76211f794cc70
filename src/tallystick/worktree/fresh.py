"""Build a tree where nothing stands: in a folder that nobody sees yet, on all cores."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tallystick import crew
from tallystick.digest import Passed
from tallystick.progress import Progress
from tallystick.records.tree import Entry
from tallystick.worktree.block import STAT, Arrivals, Block, Lying, Plan
from tallystick.worktree.filling import TREE, Filler
from tallystick.worktree.folders import Folders
from tallystick.worktree.writing import Content, Stored, write_file

Contents = Callable[[Sequence[Entry]], Iterable[tuple[Entry, Content]]]
"""Given the entries that are needed, their contents in any order: bytes, or a file to share or copy."""

ENOUGH = 8000
"""Starting a helper takes as long as writing some thousands of files."""

_MODULE = "tallystick.worktree.filling"
_BATCH_FILES, _BATCH_SIZE = 500, 64 << 20


def build(
    stage: int,
    entries: Sequence[Entry],
    contents: Contents,
    lying: Callable[[], Lying],
    progress: Progress,
) -> tuple[Arrivals, list[tuple[Entry, Content]]]:
    """Write all folders and files; say what is known of the files, and what links are to hold."""
    files = [entry for entry in entries if entry.mode in "fx"]
    wanted = crew.helpers() if len(files) >= ENOUGH else 0
    with (
        _folders(stage, entries) as staged,
        crew.memory_file() as descriptor,
        # They start while it is found out what there is to do.
        crew.called(_MODULE, (descriptor, stage), wanted) as helpers,
    ):
        plan = Plan(files, lying())
        with crew.mapped(descriptor, plan.size) as memory:
            block, order = plan.write(memory), plan.order
            # All of it is in the block now, and of a million files it is much.
            del plan
            if block.sources:
                _fill(block, order, staged, helpers, progress)
            links = _finish(block, entries, files, staged, contents, progress)
            paths = b"\0".join([entry.path for entry in files])
            modes = "".join([entry.mode for entry in files]).encode()
            return Arrivals(*block.columns, paths, modes), links


@contextmanager
def _folders(stage: int, entries: Iterable[Entry]) -> Iterator[Folders]:
    """Make all folders, so that nobody has to later; when interrupted, those without a file go again."""
    empty = {entry.path for entry in entries if entry.mode == "d"}
    needed = {entry.path.rpartition(b"/")[0] for entry in entries} - {b""}
    with Folders(stage) as staged:
        for folder in sorted(needed | empty):
            staged.at(b"%s/%s" % (TREE, folder), make=True)
        try:
            yield staged
        except BaseException:
            while needed:
                for folder in needed:
                    staged.remove(b"%s/%s" % (TREE, folder))
                needed = {folder.rpartition(b"/")[0] for folder in needed} - {b""}
            raise


def _fill(
    block: Block, order: Sequence[int], staged: Folders, helpers: crew.Crew, progress: Progress
) -> None:
    """Write what lies in packs, together with the helpers; none is left at the end."""
    filler, shown = Filler(block, staged), 0
    try:
        helpers.share(order)
        for task in helpers.tasks():
            filler.fill(task)
            done = block.done.count(1)
            progress.advance(done - shown, (done - shown) * block.mean)
            shown = done
    finally:
        helpers.wait()
        filler.close()
    done = block.done.count(1)
    progress.advance(done - shown, (done - shown) * block.mean)


def _finish(
    block: Block,
    entries: Sequence[Entry],
    files: Sequence[Entry],
    staged: Folders,
    contents: Contents,
    progress: Progress,
) -> list[tuple[Entry, Content]]:
    """Write, one by one, what lies elsewhere and what was left undone; collect what links are to hold."""
    rows = {files[row].path: row for row, done in enumerate(block.done) if not done}
    needed = [entry for entry in entries if entry.mode == "l" or entry.path in rows]
    links: list[tuple[Entry, Content]] = []
    for entry, content in counted(contents(needed) if needed else (), progress):
        if entry.mode == "l":
            links.append((entry, content))
            continue
        folder, name = staged.around(b"%s/%s" % (TREE, entry.path))
        with contextlib.suppress(FileNotFoundError):
            # A helper that was killed may have left a part of it.
            os.unlink(name, dir_fd=folder)
        change, status = write_file(folder, name, entry, content, passing(progress))
        stat = STAT.pack(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        block.fill(rows[entry.path], [stat], [entry.digest + change], b"\1")
    return links


def counted(found: Iterable[tuple[Entry, Content]], progress: Progress) -> Iterator[tuple[Entry, Content]]:
    """Show progress, in batches rather than once a file; files of the store tell their bytes themselves."""
    files = size = 0
    for entry, content in found:
        yield entry, content
        files, size = files + 1, size + (0 if isinstance(content, Path | Stored) else entry.size)
        if files >= _BATCH_FILES or size >= _BATCH_SIZE:
            progress.advance(files, size)
            files = size = 0
    progress.advance(files, size)


def passing(progress: Progress) -> Passed:
    """Show the bytes of a large file as they pass."""
    return lambda size: progress.advance(size=size)

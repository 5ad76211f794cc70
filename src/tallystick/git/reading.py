"""Read trees and blobs at a commit in bulk."""

import os
from collections.abc import Iterable, Iterator, Sequence
from threading import Thread
from typing import NamedTuple

from tallystick.errors import BadRecord, GitFailed, Refused
from tallystick.git.command import Command, batches, last_line, not_an_option

FILES = ("100644", "100755")
"""Modes of regular files; a link's blob is the name of another file, a submodule's is not there."""

CROSSING = {"GIT_LITERAL_PATHSPECS": "0", "GIT_GLOB_PATHSPECS": "0"}
"""Makes a `*` in a path mean anything, slashes among it."""

FEW = 200
"""So many paths are looked up one by one; for more the whole tree is listed."""

_SMALL = ("-c", "core.deltaBaseCacheLimit=1m")
"""For a few objects here and there git takes twice as long if it keeps all that it meets on the way."""


class TreeFile(NamedTuple):
    """A file of a git tree."""

    path: str
    mode: str
    oid: str


def list_tree(git: Command, treeish: str) -> list[TreeFile]:
    """All files of a commit or tree, links and submodules among them."""
    return [TreeFile(os.fsdecode(path), mode, oid) for mode, oid, _, path in _listed(git, treeish, ["-r"])]


def list_folders(git: Command, treeish: str, folders: Sequence[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    """What stands directly in some folders, each ending in a slash."""
    names = [os.fsdecode(folder) for folder in folders]
    return [
        (mode.encode(), oid.encode(), path)
        for some in batches(names)
        for mode, oid, _, path in _listed(git, treeish, ["--", *some])
    ]


def list_history(git: Command, until: str, since: str | None, patterns: Sequence[str]) -> list[TreeFile]:
    """Each state that matching files were brought into by commits up to one, without those up to another."""
    not_an_option(until, "a commit")
    words = (
        "log",
        "--raw",
        "-z",
        "--no-abbrev",
        "--no-renames",
        "--diff-filter=AMT",
        "-m",
        "--root",
        "--format=",
    )
    hidden = [f"^{not_an_option(since, 'a commit')}"] if since else []
    done = git.run(*words, until, *hidden, "--", *patterns, environment=CROSSING)
    parts = iter(done.stdout.split(b"\0"))
    found = []
    for head in parts:
        if head.startswith(b":"):
            _, mode, _, oid, _ = head[1:].decode().split(" ")
            found.append(TreeFile(os.fsdecode(next(parts)), mode, oid))
    return found


def read_at(git: Command, treeish: str, paths: Sequence[str], limit: int) -> dict[str, bytes]:
    """The contents of those paths that are regular files at a commit or tree."""
    wanted = set(paths)
    if not wanted:
        return {}
    found: dict[str, str] = {}
    selections = [["--", *some] for some in batches(sorted(wanted))] if len(wanted) <= FEW else [["-r"]]
    for selection in selections:
        for mode, oid, size, path in _listed(git, treeish, ["-l", *selection]):
            name = os.fsdecode(path)
            if name in wanted and mode in FILES:
                if int(size) > limit:
                    raise BadRecord(f"it has {int(size):,} bytes; a record has at most {limit:,}", name)
                found[name] = oid
    contents = read_blobs(git, found.values())
    return {path: contents[oid] for path, oid in found.items() if oid in contents}


def read_blobs(git: Command, oids: Iterable[str]) -> dict[str, bytes]:
    """The contents of blobs, by id, from one `git cat-file`."""
    asked = sorted(set(oids))
    if not asked:
        return {}
    done = git.run("cat-file", "--batch", data="".join(f"{oid}\n" for oid in asked).encode())
    return dict(_replies(done.stdout))


def read_each(git: Command, treeish: str, paths: Sequence[str]) -> list[bytes | None]:
    """The contents of files of a commit, one for each path, from one `git cat-file`; None for one it lacks.

    It costs a look at each path, however many files the commit has. The paths hold no line break.
    """
    not_an_option(treeish, "a commit or tree")
    return read_named(git, [f"{treeish}:{path}" for path in paths])


def read_named(git: Command, names: Sequence[str]) -> list[bytes | None]:
    """The contents of objects by whatever git calls them, in order; None for one that it lacks."""
    asked = "".join(f"{name}\n" for name in names)
    words = (*(_SMALL if len(names) <= FEW else ()), "cat-file", "--batch", "--buffer")
    output = git.run(*words, data=asked.encode()).stdout if names else b""
    found: list[bytes | None] = []
    start = 0
    while start < len(output):
        end = output.index(b"\n", start)
        head, start = output[start:end], end + 1
        if head.endswith(b" missing"):
            found.append(None)
        else:
            size = int(head.rpartition(b" ")[2])
            found.append(output[start : start + size])
            start += size + 1
    return found


def read_portions(git: Command, portions: Iterable[Sequence[str]]) -> Iterator[list[bytes | None]]:
    """The same for many objects, a portion at a time: git reads the next while the last is worked on."""
    before: _Portion | None = None
    for names in portions:
        portion = _Portion(git, names)
        if before is not None:
            yield before.wait()
        before = portion
    if before is not None:
        yield before.wait()


class _Portion(Thread):
    """Reads some objects in a thread of its own."""

    def __init__(self, git: Command, names: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._git, self._names = git, names
        self._found: list[bytes | None] | Exception = []
        self.start()

    def run(self) -> None:
        try:
            self._found = read_named(self._git, self._names)
        except Exception as error:
            self._found = error

    def wait(self) -> list[bytes | None]:
        """What was found; raise what went wrong."""
        self.join()
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


def there(git: Command, treeish: str, paths: Sequence[str]) -> list[bool]:
    """Whether a commit has each of some paths, from one `git cat-file`; none of them if it isn't there."""
    asked = "".join(f"{not_an_option(treeish, 'a commit or tree')}:{path}\n" for path in paths)
    output = git.run("cat-file", "--batch-check", data=asked.encode()).stdout if paths else b""
    return [not line.endswith(b" missing") for line in output.splitlines()]


def objects_at(git: Command, treeish: str, paths: Sequence[str]) -> list[str | None]:
    """The ids of files and folders of a commit or tree, from one `git cat-file`; None for what it lacks."""
    asked = "".join(f"{not_an_option(treeish, 'a commit or tree')}:{path}\n" for path in paths)
    output = git.run("cat-file", "--batch-check", data=asked.encode()).stdout if paths else b""
    return [
        None if line.endswith(b" missing") else line.split(b" ", 1)[0].decode()
        for line in output.splitlines()
    ]


def _replies(output: bytes) -> Iterator[tuple[str, bytes]]:
    """Take apart what `cat-file --batch` says: `<oid> <type> <size>`, the content, a line end."""
    start = 0
    while start < len(output):
        end = output.index(b"\n", start)
        oid, kind, *rest = output[start:end].decode().split(" ")
        start = end + 1
        if kind != "missing":
            size = int(rest[0])
            yield oid, output[start : start + size]
            start += size + 1


def _listed(git: Command, treeish: str, words: Sequence[str]) -> Iterator[tuple[str, str, str, bytes]]:
    """Mode, id, size (`-` where not asked for) and path of what `git ls-tree` lists."""
    options, _, paths = _split(words)
    not_an_option(treeish, "a commit or tree")
    done = git.run("ls-tree", "-z", "--full-tree", *options, "--end-of-options", treeish, *paths, check=False)
    if done.exit_code != 0:
        if b"Not a valid object name" in done.stderr or b"not a tree object" in done.stderr:
            raise Refused(f"git knows no commit or tree `{treeish}`")
        raise GitFailed(f"`git ls-tree` failed: {last_line(done.stderr)}", done.complaint)
    for line in done.stdout.split(b"\0"):
        if line:
            head, path = line.split(b"\t", 1)
            mode, _, oid, *size = head.decode().split()
            yield mode, oid, size[0] if size else "-", path


def _split(words: Sequence[str]) -> tuple[list[str], str, list[str]]:
    """Options before `--`, paths after it."""
    place = words.index("--") if "--" in words else len(words)
    return list(words[:place]), "--", list(words[place + 1 :])

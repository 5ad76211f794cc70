"""Read many objects of git's history: the only door to GitPython."""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import git as gitpython
from tallystick import process
from tallystick.errors import GitFailed
from tallystick.frozen import dataclass
from tallystick.git.command import last_line, not_an_option
from tallystick.git.plumbing import LARGEST, Git

_FIELDS = "%H%x1f%P%x1f%an <%ae>%x1f%ct%x1f%s"


class Commit(NamedTuple):
    """What a list of commits shows of one."""

    id: str
    parents: tuple[str, ...]
    author: str
    time: int
    subject: str


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's content at a commit."""

    oid: str
    data: bytes


class Objects:
    """A reader that keeps one `git cat-file` running; close it, or use it as a context."""

    def __init__(self, git: Git) -> None:
        gitpython.refresh(process.find("git"))
        self._git = git
        self._program = gitpython.Git(str(git.root))
        self._program.update_environment(**git.environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the running git programs end."""
        self._program.clear_cache()

    def commits(self, revs: str | Sequence[str] = "HEAD", count: int | None = None) -> list[Commit]:
        """The commits that some revisions or ranges reach, newest first."""
        wanted = [revs] if isinstance(revs, str) else list(revs)
        limit = [] if count is None else [f"--max-count={count}"]
        words = ["log", "-z", f"--format={_FIELDS}", *limit, "--end-of-options"]
        names = [not_an_option(rev, "a commit") for rev in wanted]
        return [_commit(line) for line in self._ask([*words, *names, "--"]).split("\0") if line]

    def read(self, commit: str, path: str, limit: int = LARGEST) -> bytes | None:
        """A file's content at a commit; None if there is no such file or it is larger than a record."""
        blob = self.blob(commit, path, limit)
        return None if blob is None else blob.data

    def blob(self, commit: str, path: str, limit: int = LARGEST) -> Blob | None:
        """A file at a commit, with its id."""
        not_an_option(commit, "a commit")
        if "\n" in path or not _is_unicode(path):
            # The running program is asked in lines of text; such a name needs a program of its own.
            data = self._git.read_at(commit, [path], limit).get(path)
            return None if data is None else Blob(self._git.write_blob(data), data)
        try:
            oid, kind, size = self._program.get_object_header(f"{commit}:{path}")
            # What it declares as text is bytes in the releases of these years.
            if _bytes(kind) != b"blob" or size > limit:
                return None
            data = self._program.get_object_data(oid)[3]
        except ValueError:
            return None
        return Blob(_bytes(oid).decode(), data)

    def read_many(self, commit: str, paths: Iterable[str]) -> dict[str, bytes]:
        """The contents of those paths that are files at a commit."""
        found = {path: self.read(commit, path) for path in paths}
        return {path: data for path, data in found.items() if data is not None}

    def _ask(self, words: Sequence[str]) -> str:
        """Run one git command."""
        argv = [process.find("git"), "--no-pager", *words]
        code, stdout, stderr = self._program.execute(
            argv, with_extended_output=True, with_exceptions=False, stdout_as_string=False
        )
        if code != 0:
            raise GitFailed(f"`git {words[0]}` failed: {last_line(_bytes(stderr))}", str(stderr))
        return _bytes(stdout).decode(errors="replace")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bytes(output: str | bytes) -> bytes:
    return output if isinstance(output, bytes) else output.encode()


def _commit(line: str) -> Commit:
    identity, parents, author, time, subject = line.split("\x1f", 4)
    return Commit(identity, tuple(parents.split()), author, int(time), subject)

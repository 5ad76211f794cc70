"""What the program asks of git and does in it, by running the user's own git."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from pathlib import Path

from tallystick.errors import Refused, RemoteUnreachable, TallyError, WouldLoseChanges
from tallystick.frozen import dataclass
from tallystick.git import reading, settings, snapshots, temporary
from tallystick.git.command import Command, batches, failure, last_line, not_an_option, nul_ended
from tallystick.git.reading import TreeFile
from tallystick.git.snapshots import Snapshot
from tallystick.git.submodules import files_within
from tallystick.process import Completed

NOBODY = "unknown <unknown>"
"""The author where the user has told git no name."""

LARGEST = 16 << 20
"""No record is larger, so nothing larger is read from git into memory."""

_PATTERNS = {"GIT_LITERAL_PATHSPECS": "0"}
_AT_ONCE = {"GIT_FLUSH": "0"}
_UNREACHABLE = ("Could not read from remote repository", "unable to access", "Could not resolve host")
_IN_THE_WAY = ("would be overwritten by checkout", "would be removed by checkout")


@dataclass(frozen=True, slots=True)
class Git(Command):
    """One worktree of a git repository."""

    def head(self) -> str | None:
        """The id of the commit that is checked out; None before the first one."""
        return self.text("rev-parse", "--verify", "--quiet", "HEAD^{commit}")

    def branch(self) -> str | None:
        """The branch that is checked out; None when HEAD is detached."""
        return self.text("symbolic-ref", "--short", "--quiet", "HEAD")

    def resolve(self, rev: str) -> str:
        """The id of the commit that a name means; raise Refused if it means none."""
        not_an_option(rev, "a commit")
        commit = self.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        if commit is None:
            hint = "no commit has been made yet" if self.head() is None else "see `git log --oneline --all`"
            raise Refused(f"git knows no commit `{rev}`", hint=hint)
        return commit

    def resolve_target(self, target: str) -> str:
        """The commit that `checkout` goes to: `-` is the previous one, a branch may be a remote's only."""
        if target == "-":
            found = self.text("rev-parse", "--verify", "--quiet", "@{-1}^{commit}")
            if found is None:
                raise Refused("nothing was checked out before", hint="name a branch or a commit")
            return found
        try:
            return self.resolve(target)
        except Refused:
            remote = self.default_remote()
            found = self.resolve_ref(f"refs/remotes/{remote}/{target}") if remote else None
            if found is None:
                raise
            return found

    def resolve_ref(self, ref: str) -> str | None:
        """The object that a full ref name (`refs/…`) points to; None if there is no such ref."""
        return self.text("show-ref", "--verify", "--hash", "--", _ref(ref))

    def tree_of(self, treeish: str) -> str:
        """The id of a commit's tree."""
        tree = self.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{treeish}^{{tree}}")
        if tree is None:
            raise Refused(f"git knows no tree `{treeish}`")
        return tree

    def author(self) -> str:
        """Who makes commits here, as `Name <email>`."""
        identity = self.text("var", "GIT_AUTHOR_IDENT")
        return identity.rsplit(" ", 2)[0] if identity else NOBODY

    def list_files(self, patterns: Sequence[str] = ()) -> list[str]:
        """Files of the worktree that git tracks or would track; a pattern's `*` crosses folders."""
        found = self._named(patterns, _PATTERNS)
        return sorted(name for name in found if _is_file(os.path.join(self.root, name)))

    def named_below(self, folder: str) -> set[str]:
        """The same for one folder, whatever is in its name; there or not, with other repositories inside."""
        return self._named([folder], {}) - {folder}

    def named_in_submodules(self, folder: str) -> set[str]:
        """What git sees in submodules at, below and around a folder."""
        return files_within(self, folder)

    def tracked(self, paths: Iterable[str]) -> set[str]:
        """The files, among and below some paths, that git itself tracks."""
        found: set[str] = set()
        for some in batches(paths):
            found.update(self.names("ls-files", "-z", "--", *some))
        return found

    def ignored(self, paths: Iterable[str]) -> set[str]:
        """Those of some paths that git ignores."""
        # Its paths can't be taken literally, and one that begins with a colon must not be taken for magic.
        listed = nul_ended(f"./{path}" for path in paths)
        if not listed:
            return set()
        words = ("check-ignore", "-z", "--stdin", "--no-index")
        done = self.run(*words, data=listed, check=False, environment=_PATTERNS)
        if done.exit_code not in (0, 1):
            raise failure("check-ignore", done)
        found = {os.fsdecode(name[2:]) for name in done.stdout.split(b"\0") if name}
        # It would look into the index for a name as for a pattern; so what git tracks is taken out here.
        return found - {folder for file in self.tracked(found) for folder in _and_above(file)}

    def stage(self, paths: Iterable[str]) -> None:
        """Bring files as they now are, or their absence, into the index, ignored or not."""
        listed = nul_ended(paths)
        if listed:
            self.run("update-index", "--add", "--remove", "--replace", "-z", "--stdin", data=listed)

    def list_tree(self, treeish: str, patterns: Sequence[str] = ()) -> list[TreeFile]:
        """The files of a commit or tree as (path, mode, oid); a pattern's `*` crosses folders."""
        listed = reading.list_tree(self, treeish)
        if not patterns:
            return listed
        return [file for file in listed if any(fnmatchcase(file.path, pattern) for pattern in patterns)]

    def list_history(self, until: str, since: str | None, patterns: Sequence[str]) -> list[TreeFile]:
        """Each state of matching files that came with the commits up to one; without those up to `since`."""
        return reading.list_history(self, until, since, patterns)

    def list_folders(self, treeish: str, folders: Sequence[bytes]) -> list[tuple[bytes, bytes, bytes]]:
        """What stands in some folders (each ending in `/`, none inside another): mode, oid, path."""
        return reading.list_folders(self, treeish, folders)

    def read_at(self, treeish: str, paths: Sequence[str], limit: int = LARGEST) -> dict[str, bytes]:
        """The contents of those files that a commit or tree has; raise BadRecord for one above the limit."""
        return reading.read_at(self, treeish, paths, limit)

    def read_blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The contents of git's blobs, read in one process; one that git lacks is left out."""
        return reading.read_blobs(self, oids)

    def read_each(self, treeish: str, paths: Sequence[str]) -> list[bytes | None]:
        """The contents of files of a commit, one for each path, however large that is; None for none."""
        return reading.read_each(self, treeish, paths)

    def read_named(self, names: Sequence[str]) -> list[bytes | None]:
        """The contents of objects by whatever git calls them; None for one that it lacks."""
        return reading.read_named(self, names)

    def read_portions(self, portions: Iterable[Sequence[str]]) -> Iterator[list[bytes | None]]:
        """The same a portion at a time, the next one read meanwhile."""
        return reading.read_portions(self, portions)

    def there(self, treeish: str, paths: Sequence[str]) -> list[bool]:
        """Whether a commit has each of some paths; it has none if it isn't there itself."""
        return reading.there(self, treeish, paths)

    def objects_at(self, treeish: str, paths: Sequence[str]) -> list[str | None]:
        """The ids of files and folders of a commit or tree; None for what it lacks."""
        return reading.objects_at(self, treeish, paths)

    def dated(self, ref: str, since: float) -> list[tuple[int, str]]:
        """The commits of a ref that were made since a time: when, and the first lines of their messages."""
        if self.resolve_ref(ref) is None:
            return []
        words = ("log", "-z", "--format=%ct %s", f"--since={int(since)}", "--end-of-options", ref, "--")
        lines = self.run(*words).stdout.decode(errors="replace").split("\0")[:-1]
        return [(int(time), subject) for time, _, subject in (line.partition(" ") for line in lines)]

    def subjects(self, ref: str, *, skip: int = 0, most: int | None = None, since: str = "") -> list[str]:
        """The first lines of the messages of a ref's commits, newest first; none if there is no such ref.

        Without the first `skip` of them, no more than `most`, and none that `since`, a commit, reaches.
        """
        # In git's own order it need not walk to the end to know which are the newest.
        words = ["log", "-z", "--format=%s", f"--skip={skip}", *([f"-n{most}"] if most is not None else [])]
        hidden = [f"^{not_an_option(since, 'a commit')}"] if since else []
        # To a pipe git would write each line by itself.
        done = self.run(*words, "--end-of-options", ref, *hidden, "--", check=False, environment=_AT_ONCE)
        if done.exit_code != 0 and self.resolve_ref(ref) is not None:
            raise failure("log", done)
        return done.stdout.decode(errors="replace").split("\0")[:-1]

    def snapshot(
        self, leave_out: Callable[[str, int], bool] = snapshots.too_large_or_secret, *, whole: bool = False
    ) -> Snapshot:
        """Write the worktree, dirty or not, as a git tree; the user's index stays as it is.

        With `whole` the files of submodules stand in it themselves, uncommitted work in them or not.
        """
        return snapshots.snapshot(self, leave_out, whole=whole)

    def checkout(self, target: str) -> None:
        """Let git check out a branch or commit (`-` is the previous one), its hooks and filters included.

        Raises Refused for an unknown target, WouldLoseChanges when uncommitted edits are in the way.
        """
        if target != "-":
            not_an_option(target, "a commit")
        done = self.run("checkout", "--quiet", target, "--", check=False, hooks=True)
        if done.exit_code != 0:
            raise self._not_checked_out(target, done)

    def temporary_worktree(self, treeish: str, parent: Path) -> AbstractContextManager[Path]:
        """A worktree of its own at a commit or tree, below `parent`, gone when the block ends."""
        return temporary.worktree(self, treeish, parent)

    def config_entries(self, file: Path | None, prefix: str = "") -> list[tuple[str, str]]:
        """Settings of a file, or with None the user's own, below a prefix, which is cut off."""
        return settings.entries(self, file, prefix)

    def set_config(self, key: str, value: str, file: Path | None = None) -> None:
        """Set one value in a file, or with None in this repository's own settings."""
        settings.set_value(self, key, value, file)

    def unset_config(self, key: str, file: Path | None = None) -> bool:
        """Take a key out; say whether it was there."""
        return settings.unset(self, key, file)

    def remove_section(self, section: str, file: Path | None = None) -> bool:
        """Take a whole section (`remote.origin`) out; say whether it was there."""
        return settings.remove_section(self, section, file)

    def write_blob(self, data: bytes) -> str:
        """Keep bytes as a git blob; return its id."""
        return self.run("hash-object", "-w", "--stdin", data=data).text

    def update_ref(self, ref: str, new: str, old: str | None) -> bool:
        """Move a ref if it still is at `old` (None: does not exist); say whether it was."""
        before = old or "0" * len(new)
        done = self.run("update-ref", "-m", "tally", "--end-of-options", _ref(ref), new, before, check=False)
        if done.exit_code == 0:
            return True
        if self.resolve_ref(ref) != old:
            return False
        raise failure("update-ref", done)

    def fast_import(self, stream: bytes) -> bytes:
        """Feed git's importer; return what the stream asked it to print."""
        return self.run("fast-import", "--quiet", "--date-format=raw-permissive", data=stream).stdout

    def remotes(self) -> list[str]:
        """The names of git's own remotes."""
        return self.run("remote").text.split()

    def default_remote(self) -> str | None:
        """The remote that the branch follows, else `origin`, else the only one."""
        known = self.remotes()
        if not known:
            return None
        branch = self.branch()
        followed = self.text("config", "--get", f"branch.{branch}.remote") if branch else None
        only = known[0] if len(known) == 1 else None
        return next((name for name in (followed, "origin", only) if name in known), None)

    def push_ref(self, remote: str, refspec: str, *, much: bool = False) -> None:
        """Send a ref to a git remote; raise RemoteUnreachable, or GitFailed if it was refused."""
        # Git would go through all trees of what is new twice, so as not to look at many that are not.
        whole = ("-c", "pack.useSparse=false") if much else ()
        words = (*whole, "push", "--quiet", "--no-verify", "--no-follow-tags", "--no-recurse-submodules")
        done = self.run(*words, "--end-of-options", not_an_option(remote, "a remote"), refspec, check=False)
        if done.exit_code != 0:
            raise _not_exchanged(remote, "push", done)

    def fetch_ref(self, remote: str, refspec: str) -> bool:
        """Fetch a ref from a git remote; say whether the remote has it."""
        words = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        done = self.run(*words, "--end-of-options", not_an_option(remote, "a remote"), refspec, check=False)
        if done.exit_code == 0:
            return True
        if b"couldn't find remote ref" in done.stderr:
            return False
        raise _not_exchanged(remote, "fetch", done)

    def _named(self, pathspecs: Sequence[str], environment: Mapping[str, str]) -> set[str]:
        words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *pathspecs)
        done = self.run(*words, environment=environment)
        return {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}

    def _not_checked_out(self, target: str, done: Completed) -> Exception:
        """The error for a checkout that git refused."""
        complaint = done.stderr.decode(errors="surrogateescape")
        if any(phrase in complaint for phrase in _IN_THE_WAY):
            paths = [line.strip() for line in complaint.splitlines() if line.startswith("\t")]
            return WouldLoseChanges(
                f"`{target}` can't be checked out: uncommitted changes in {', '.join(paths[:5])}",
                paths,
                hint="commit or `git stash` them first",
            )
        if "did not match any file" in complaint or "invalid reference" in complaint:
            return Refused(f"git knows no branch or commit `{target}`", hint="see `git log --oneline --all`")
        return failure("checkout", done)


def _and_above(path: str) -> Iterator[str]:
    """A path and the folders above it."""
    yield path
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _is_file(path: str) -> bool:
    """Whether a file or link is there; a folder that git lists is another repository."""
    try:
        return not stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _ref(name: str) -> str:
    if not name.startswith("refs/"):
        raise Refused(f"`{name}` is not the full name of a ref")
    return name


def _not_exchanged(remote: str, verb: str, done: Completed) -> TallyError:
    """The error for a remote that did not answer, or said no."""
    complaint = done.complaint
    if any(phrase in complaint for phrase in _UNREACHABLE):
        return RemoteUnreachable(
            f"the git remote `{remote}` can't be reached: {last_line(done.stderr)}",
            hint=f"try `git {verb} {remote}`",
        )
    return failure(verb, done)

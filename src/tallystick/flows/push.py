"""Make the blobs of what git holds durable on a remote, then send the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tallystick.data.beyond import beyond
from tallystick.data.blobs import JOBS, LOCAL, bring_lists, extent, nowhere, wanted_blobs, wanted_digests
from tallystick.data.tracked import Selected, Tracked
from tallystick.digest import Digest
from tallystick.errors import GitFailed, ObjectMissing, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project, open_remote
from tallystick.runs import ledger
from tallystick.runs.ahead import Ahead
from tallystick.runs.reach import Reached, history, reached, remember_pushed
from tallystick.runs.unsent import Unsent
from tallystick.store import RemoteStore, transfer
from tallystick.store.settled import Covered

_FEW = 256
"""So many lists of files a push may go on from."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the remote holds of so many paths and runs, and what of it this push sent.

    `ledger` is the git remote that it was taken to; `files` and `files_size` are those of the paths.
    """

    remote: str
    paths: int
    blobs: int
    size: int
    sent_blobs: int
    sent_bytes: int
    packs: int
    ledger: str | None
    dry_run: bool
    notes: tuple[str, ...] = ()
    runs: int = 0
    files: int = 0
    files_size: int = 0


def push(
    project: Project,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    jobs: int = JOBS,
    dry_run: bool = False,
    with_ledger: bool = True,
    with_runs: bool = True,
    progress: Progress = silent,
) -> Pushed:
    """Send the blobs that the worktree, HEAD and the history since the last push reach, then the ledger.

    Before the ledger goes what its runs made, unless it shall go alone. With targets only these go.
    """
    store = open_remote(project, remote)
    head = project.git.head()
    git_remote = project.git.default_remote() if with_ledger and not targets else None
    asked = _asked_for(project, targets, head)
    past = Reached((), {}) if targets else history(project, store.name, head, asked)
    ahead = None
    if git_remote and with_runs:
        ahead = Ahead(project, store, git_remote, jobs=jobs, progress=progress)
    made = ahead.found(_named(asked), whole=dry_run) if ahead else Unsent()
    load = _load(project, asked, past, made, head)
    if dry_run:
        return _planned(project, store, asked, load, made.runs)
    sent = _made_durable(project, store, load, jobs, progress)
    if not targets:
        remember_pushed(project, store.name, head)
    if ahead:
        ahead.went(made, sent)
    taken = _send_ledger(project, git_remote, ahead)
    all_sent = ahead.sent if ahead else sent
    whole = extent(project, asked.selected)
    return Pushed(
        remote=store.name,
        paths=len(asked.selected),
        blobs=all_sent.blobs,
        size=all_sent.size,
        sent_blobs=all_sent.sent_blobs,
        sent_bytes=all_sent.sent_bytes,
        packs=all_sent.packs,
        ledger=taken,
        dry_run=False,
        notes=(*asked.notes, *(ahead.notes() if ahead else ())),
        runs=ahead.runs if ahead else 0,
        files=whole.files,
        files_size=whole.size,
    )


@dataclass(frozen=True, slots=True)
class _Load:
    """Blobs that must be on the remote, others that are sent besides, and what all are reached from."""

    needed: Sequence[Selected]
    offered: Sequence[Selected]
    kept: Mapping[Digest, str]
    roots: set[Digest]
    lasting: set[Digest]
    commits: tuple[str, ...]

    def blobs(self, project: Project) -> set[bytes]:
        """All of them."""
        wanted = wanted_digests(project, (*self.needed, *self.offered))
        wanted |= self.kept.keys()
        return wanted

    def lists(self) -> list[Tracked]:
        """The folders among what must be there."""
        return [one.tracked for one in self.needed if one.tracked.pointer.kind == "tree"]

    def covered(self) -> Covered | None:
        """What a later push may go on from; None where that would be more than a few lists of files."""
        lists = {one.path: one.pointer.digest for one in self.lists()}
        if self.offered or not 0 < len(lists) == len(self.lists()) <= _FEW:
            return None
        rest = self.roots.difference(lists.values())
        files = sum(one.pointer.files or 0 for one in self.lists())
        return Covered(lists, Digest.of(b"".join(sorted(rest))), files + len(lists) + len(rest))

    def paths(self, project: Project) -> dict[Digest, str]:
        """Those that must be there, each with a path that needs it."""
        return wanted_blobs(project, self.needed)


def _load(project: Project, asked: Reached, past: Reached, made: Unsent, head: str | None) -> _Load:
    """All that is asked for, what can be had of the history, and of what runs made."""
    kept = {**_held(project, {**asked.kept, **past.kept}), **made.kept}
    selected = (*past.selected, *made.selected)
    return _Load(
        asked.selected,
        selected,
        kept,
        commits=(head,) if head else (),
        roots={one.tracked.pointer.digest for one in (*asked.selected, *selected)} | kept.keys(),
        # History and runs are sent once: a push that finds nothing new won't name them again.
        lasting={one.tracked.pointer.digest for one in asked.selected} | (kept.keys() & asked.kept.keys()),
    )


def _named(reached: Reached) -> set[Digest]:
    """What something reached names itself."""
    return {one.tracked.pointer.digest for one in reached.selected} | reached.kept.keys()


def _asked_for(project: Project, targets: Sequence[str], head: str | None) -> Reached:
    """What targets mean in the worktree; without them all that is there, committed or not, and HEAD's."""
    worktree = reached(project, targets)
    asked = worktree if targets or head is None else worktree | reached(project, commit=head)
    # A remote holds folders whole: a part alone would leave a list of files behind that leads nowhere.
    whole = {one.tracked: Selected(one.tracked) for one in asked.selected}
    return replace(asked, selected=tuple(whole.values()))


def _held(project: Project, blobs: Mapping[Digest, str]) -> dict[Digest, str]:
    """Those blobs that the local store has."""
    absent = project.store.missing(blobs)
    return {digest: path for digest, path in blobs.items() if digest not in absent}


def _made_durable(
    project: Project, store: RemoteStore, load: _Load, jobs: int, progress: Progress
) -> transfer.Pushed:
    """Make sure that the remote has all of it, by the shortest way that the last push allows.

    A blob that is in neither place is named with the path that needs it.
    """
    settled = _settled(project, store, load)
    if settled is not None:
        return settled
    bring_lists(project, load.needed, jobs=jobs, progress=progress)
    try:
        gone_on = _gone_on(project, store, load, jobs, progress)
        return gone_on or _sent(project, store, load, jobs, progress)
    except ObjectMissing as error:
        raise nowhere(error.digests, load.paths(project), error.places) from error


def _sent(
    project: Project, store: RemoteStore, load: _Load, jobs: int, progress: Progress
) -> transfer.Pushed:
    """Send what the remote lacks."""
    return transfer.push(
        project.store,
        store,
        load.blobs(project),
        repository=project.config.repository or "",
        commits=load.commits,
        roots=load.roots,
        lasting=load.lasting,
        covered=load.covered(),
        jobs=jobs,
        progress=progress,
    )


def _gone_on(
    project: Project, store: RemoteStore, load: _Load, jobs: int, progress: Progress
) -> transfer.Pushed | None:
    """Send what the last push had not, where only lists of files changed since; None if it takes more."""
    last, covered = transfer.last_push(store), load.covered()
    if last is None or last.covered is None or covered is None or not last.goes_on():
        return None
    if covered.rest != last.covered.rest or covered.lists.keys() != last.covered.lists.keys():
        return None
    new = beyond(project, load.lists(), last.covered.lists)
    if new is None or last.blobs + new.blobs != covered.blobs:
        return None
    return transfer.go_on(
        project.store,
        store,
        last,
        new.digests,
        last.size + new.size,
        covered,
        repository=project.config.repository or "",
        commits=load.commits,
        roots=load.roots,
        lasting=load.lasting,
        jobs=jobs,
        progress=progress,
    )


def _settled(project: Project, store: RemoteStore, load: _Load) -> transfer.Pushed | None:
    """What the remote still has of the same push, if it was done from here before."""
    repository = project.config.repository or ""
    return transfer.settled(store, repository=repository, commits=load.commits, roots=load.roots)


def _planned(project: Project, store: RemoteStore, asked: Reached, load: _Load, runs: int) -> Pushed:
    """What a push would send, before compression."""
    bring_lists(project, load.needed)
    blobs = load.blobs(project)
    lacking = store.missing(blobs)
    absent = project.store.missing(lacking)
    if absent:
        raise nowhere(absent, load.paths(project), [LOCAL, store.name])
    return Pushed(
        remote=store.name,
        paths=len(asked.selected),
        blobs=len(blobs),
        size=sum(one.tracked.pointer.size for one in asked.selected),
        sent_blobs=len(lacking),
        sent_bytes=project.store.total(lacking),
        packs=0,
        ledger=None,
        dry_run=True,
        notes=asked.notes,
        runs=runs,
    )


def _send_ledger(project: Project, remote: str | None, ahead: Ahead | None) -> str | None:
    """Exchange ledgers through git, after what runs made; say with which of its remotes, if with any."""
    if remote is None:
        return None
    try:
        if ahead and ahead.is_behind:
            ahead.send()
        ledger.exchange(project, remote, *([ahead.send] if ahead else []))
    except (GitFailed, RemoteUnreachable) as error:
        raise RemoteUnreachable(
            f"the data is pushed, but the ledger is not: {error.message}",
            hint="repeat `tally push` when git's remote answers, or leave the ledger out: `--no-ledger`",
        ) from error
    return remote

"""Every receipt of every run, in a commit chain of its own beside the project's."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import islice

from tallystick import files
from tallystick.digest import Digest
from tallystick.errors import BadRecord, GitFailed, Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import receipt as receipts
from tallystick.records import verdict as verdicts
from tallystick.records.receipt import Receipt
from tallystick.records.verdict import Verdict
from tallystick.runs.importing import file, tree

REF = "refs/tally/ledger"
THEIRS = "refs/tally/remotes/{}/ledger"

SHORTEST = 4
"""Hex digits that are enough to mean a run."""

PORTION = 60
"""Receipts that are read at a time: the newest are often all that is wanted."""

LARGER = 2000
"""Receipts that are read at a time by somebody who goes on beyond the newest."""

MANY = 1000
"""So many receipts are looked for by a list of all."""

NEWEST = 200
"""Entries of the chain that are looked at first; to find out about all takes git its time."""

MUCH = 5000
"""So many new entries are sent faster without a look at which trees of theirs they share."""

ATTEMPTS = 5
"""How often a ledger is sent again when somebody else's run arrived first."""


Entries = dict[bytes, tuple[bytes, bytes]]
"""Paths of a ledger, each with its mode and object."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run in the ledger."""

    id: Digest
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Damaged:
    """An entry of the ledger whose receipt can't be believed."""

    id: Digest
    error: BadRecord


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What two ledgers gave each other."""

    remote: str
    received: int
    sent: bool


def append(project: Project, receipt: Receipt, text: bytes | None = None) -> Digest:
    """Keep a receipt beside the snapshot of the code that ran, and return the run's id.

    `text` is its canonical form, where that was written already.
    """
    data = receipts.render(receipt) if text is None else text
    identity = Digest.of(data)
    folder = _run_folder(identity)
    _commit(
        project,
        f"run {identity.hex()}",
        [file(project, f"{folder}/receipt.json", data), tree(f"{folder}/code", receipt.code.tree)],
    )
    return identity


def append_verdict(project: Project, verdict: Verdict) -> Digest:
    """Keep a verdict, and return its id."""
    data = verdicts.render(verdict)
    identity = Digest.of(data)
    _commit(project, f"verdict {identity.hex()}", [file(project, _verdict_path(identity), data)])
    return identity


def run_ids(project: Project, since: str = "") -> list[Digest]:
    """The ids of all runs, newest first; with `since`, of those that a commit of the chain didn't know."""
    return _named(project.git.subjects(REF, since=since), "run")


def reaches(project: Project, commit: str) -> bool:
    """Whether the ledger's chain goes on from a commit."""
    tip = project.git.resolve_ref(REF)
    return tip is not None and _reaches(project, tip, commit)


def runs(project: Project, portion: int | None = None) -> Iterator[Run | Damaged]:
    """All runs, newest first, read as they are asked for: in portions, and of the newest maybe fewer."""
    for identity, data in stored(project, min(portion or PORTION, PORTION)):
        yield believed(identity, data)


def stored(project: Project, portion: int = PORTION) -> Iterator[tuple[Digest, bytes]]:
    """The receipts of all runs as they stand in the ledger, newest first, neither checked nor parsed."""
    folders: dict[Digest, str] = {}
    for some in _portions(project, "run", portion):
        if len(some) >= MANY and not folders:
            folders = _folders(project)
        yield from _paired(some, project.git.read_named(_names(some, folders)))


def texts(
    project: Project, identities: Sequence[Digest], portion: int = PORTION
) -> Iterator[tuple[Digest, bytes]]:
    """The receipts of some runs as they stand in the ledger; those that it lacks are left out."""
    folders = _folders(project) if len(identities) >= MANY else {}
    portions = [identities[start : start + portion] for start in range(0, len(identities), portion)]
    replies = project.git.read_portions(_names(some, folders) for some in portions)
    for some, found in zip(portions, replies, strict=True):
        yield from _paired(some, found)


def _paired(some: Sequence[Digest], found: Sequence[bytes | None]) -> Iterator[tuple[Digest, bytes]]:
    """Runs with their receipts, without those that the ledger lacks."""
    yield from ((identity, data) for identity, data in zip(some, found, strict=True) if data is not None)


def _names(some: Sequence[Digest], folders: Mapping[Digest, str]) -> list[str]:
    """What git calls the receipts of some runs, whose folders it may know by their own ids."""
    own = ((each, folders.get(each)) for each in some)
    return [f"{REF}:{_receipt_path(each)}" if oid is None else f"{oid}:receipt.json" for each, oid in own]


def _folders(project: Project) -> dict[Digest, str]:
    """The ids that git has for the folders of all runs.

    To look a run up by its path takes git through lists of hundreds, a millisecond each time.
    """
    found: dict[Digest, str] = {}
    tops = [path + b"/" for path in _listed(project, REF, [b"runs/"])]
    for path, (_mode, oid) in (_listed(project, REF, tops) if tops else {}).items():
        with suppress(ValueError):
            found[Digest(bytes.fromhex(path.rpartition(b"/")[2].decode()))] = oid.decode()
    return found


def find(project: Project, prefix: str) -> Run:
    """The run whose id begins with some hex digits; raise Refused if none or several do."""
    found = _beginning(project, "runs", prefix)
    if not found:
        raise Refused(f"there is no run `{prefix}` in the ledger", hint="see `tally log`")
    if len(found) > 1:
        some = ", ".join(identity.short for identity in islice(found, 5))
        raise Refused(f"`{prefix}` may mean {len(found)} runs: {some}", hint="give more digits")
    run = read(project, found[0])
    if isinstance(run, Damaged):
        raise run.error
    return run


def read(project: Project, identity: Digest) -> Run | Damaged:
    """One run of the ledger; damaged if its receipt isn't there or doesn't hash to its id."""
    return believed(identity, next((data for _, data in texts(project, [identity])), b""))


def knows(project: Project, prefix: str) -> bool:
    """Whether the id of a run begins with some hex digits."""
    return bool(_beginning(project, "runs", prefix))


def missing(project: Project, identities: Sequence[Digest]) -> list[Digest]:
    """Those of some ids that no run in the ledger has."""
    there = project.git.there(REF, [_receipt_path(identity) for identity in identities])
    return [identity for identity, found in zip(identities, there, strict=True) if not found]


def dated(project: Project, since: float) -> list[tuple[int, Digest]]:
    """The runs that came into the ledger since a time: when, and their ids, newest first."""
    commits = project.git.dated(REF, since)
    return [(time, identity) for time, subject in commits for identity in _named([subject], "run")]


def seems_run(text: str) -> bool:
    """Whether a word could be (the beginning of) a run's id."""
    digits = text.removeprefix("blake3:").lower()
    return SHORTEST <= len(digits) <= 64 and not set(digits) - set("0123456789abcdef")


def verdicts_of(project: Project) -> Iterator[tuple[Digest, Verdict]]:
    """All verdicts, newest first; those that can't be believed are left out."""
    for some in _portions(project, "verdict"):
        found = project.git.read_each(REF, [_verdict_path(identity) for identity in some])
        for identity, data in zip(some, found, strict=True):
            if data is not None and Digest.of(data) == identity:
                yield identity, verdicts.parse(data, f"verdict {identity.short}")


def find_verdict(project: Project, prefix: str) -> tuple[Digest, Verdict] | None:
    """The verdict whose id begins with some hex digits; None if none or several do."""
    found = _beginning(project, "verdicts", prefix)
    if len(found) != 1:
        return None
    data = project.git.read_each(REF, [_verdict_path(found[0])])[0] or b""
    if Digest.of(data) != found[0]:
        return None
    return found[0], verdicts.parse(data, f"verdict {found[0].short}")


def exchange(project: Project, git_remote: str, ready: Callable[[], None] = lambda: None) -> Exchanged:
    """Bring another repository's runs into this ledger, and send it those it lacks.

    Before each try `ready` makes durable what the runs made that go: receipts never lead to nowhere.
    """
    received, theirs_ref = receive(project, git_remote), THEIRS.format(git_remote)
    for _ in range(ATTEMPTS):
        ours, theirs = project.git.resolve_ref(REF), project.git.resolve_ref(theirs_ref)
        if ours is None or ours == theirs:
            return Exchanged(git_remote, received, sent=False)
        ready()
        much = theirs is not None and len(project.git.subjects(REF, since=theirs, most=MUCH)) == MUCH
        try:
            project.git.push_ref(git_remote, f"{ours}:{REF}", much=much)
        except GitFailed as error:
            # Somebody else's run may have arrived since: only if so does trying again make sense.
            news = receive(project, git_remote)
            if not news:
                raise error
            received += news
        else:
            # It has what we have now: else the next exchange would have git look through all of it.
            project.git.update_ref(theirs_ref, ours, theirs)
            return Exchanged(git_remote, received, sent=True)
    raise Refused(f"the ledger of `{git_remote}` changes too quickly", hint="repeat the command")


def receive(project: Project, git_remote: str, ref: str = REF) -> int:
    """Bring another repository's runs and verdicts into this ledger; say how many there were."""
    theirs_ref = THEIRS.format(git_remote)
    if not project.git.fetch_ref(git_remote, f"+{ref}:{theirs_ref}"):
        return 0
    with _locked(project):
        ours, theirs = project.git.resolve_ref(REF), project.git.resolve_ref(theirs_ref)
        if theirs is None or (ours is not None and _reaches(project, ours, theirs)):
            return 0
        known, offered = _unlike(project, ours, theirs)
        news = {path: entry for path, entry in offered.items() if path not in known}
        _unite(project, ours, theirs, news, whole=known.items() <= offered.items())
        return len(news)


def _unite(
    project: Project,
    ours: str | None,
    theirs: str,
    news: Entries,
    *,
    whole: bool,
) -> None:
    """Take over their chain where it goes on from ours and lacks nothing of it, else join the two."""
    if whole and (ours is None or _reaches(project, theirs, ours)):
        project.git.update_ref(REF, theirs, ours)
        return
    changes = [b"M %s %s %s\n" % (mode, oid, path) for path, (mode, oid) in sorted(news.items())]
    _write(project, "merge", changes, ours, [theirs])


def _reaches(project: Project, later: str, earlier: str) -> bool:
    """Whether a chain goes on from a commit."""
    done = project.git.run("merge-base", "--is-ancestor", earlier, later, check=False)
    return done.exit_code == 0


def believed(identity: Digest, data: bytes) -> Run | Damaged:
    """Parse a receipt as it stands in the ledger; it must hash to its name."""
    source = f"run {identity.short}"
    if Digest.of(data) != identity:
        return Damaged(identity, BadRecord("its receipt in the ledger does not hash to its id", source))
    try:
        return Run(identity, receipts.parse(data, source))
    except BadRecord as error:
        return Damaged(identity, error)


def _named(subjects: Iterable[str], kind: str) -> list[Digest]:
    """Ids named by messages of the chain's commits, each once."""
    found: dict[Digest, None] = {}
    for subject in subjects:
        word, _, digits = subject.partition(" ")
        if word == kind and len(digits) == 64 and seems_run(digits):
            found[Digest(bytes.fromhex(digits))] = None
    return list(found)


def _portions(project: Project, kind: str, portion: int = PORTION) -> Iterator[list[Digest]]:
    """The ids of a kind, newest first, in portions that git reads at a time."""
    newest = project.git.subjects(REF, most=NEWEST)
    ids = _named(newest, kind)
    yield from _cut(ids, portion)
    if len(newest) == NEWEST:
        known = set(ids)
        rest = _named(project.git.subjects(REF, skip=NEWEST), kind)
        yield from _cut([identity for identity in rest if identity not in known], LARGER)


def _cut(ids: list[Digest], portion: int = PORTION) -> Iterator[list[Digest]]:
    for start in range(0, len(ids), portion):
        yield ids[start : start + portion]


def _beginning(project: Project, folder: str, prefix: str) -> list[Digest]:
    """The ids below a folder of the ledger that begin with some hex digits, found in one small folder."""
    digits = prefix.removeprefix("blake3:").lower()
    if not seems_run(digits) or project.git.resolve_ref(REF) is None:
        return []
    listed = project.git.list_folders(REF, [f"{folder}/{digits[:2]}/".encode()])
    names = [path.rpartition(b"/")[2].removesuffix(b".json").decode() for _mode, _oid, path in listed]
    return [Digest(bytes.fromhex(name)) for name in names if name.startswith(digits) and len(name) == 64]


def _run_folder(identity: Digest) -> str:
    return f"runs/{identity.hex()[:2]}/{identity.hex()}"


def _receipt_path(identity: Digest) -> str:
    return f"{_run_folder(identity)}/receipt.json"


def _verdict_path(identity: Digest) -> str:
    return f"verdicts/{identity.hex()[:2]}/{identity.hex()}.json"


def _locked(project: Project) -> AbstractContextManager[int]:
    return files.lock(project.home / "locks" / "ledger", what="the ledger", wait=60)


def _commit(project: Project, message: str, changes: Sequence[bytes]) -> None:
    """Add one commit to the chain."""
    with _locked(project):
        _write(project, message, changes, project.git.resolve_ref(REF), [])


def _write(
    project: Project, message: str, changes: Sequence[bytes], parent: str | None, others: Iterable[str]
) -> None:
    """Move the ledger's ref to a new commit on top of `parent`; git refuses if the ref moved meanwhile."""
    text = message.encode()
    lines = [
        b"commit %s\n" % REF.encode(),
        b"committer %s %d +0000\n" % (project.git.author().encode(), int(time.time())),
        b"data %d\n%s\n" % (len(text), text),
        *([b"from %s\n" % parent.encode()] if parent else []),
        *(b"merge %s\n" % other.encode() for other in others),
        *changes,
        b"done\n",
    ]
    project.git.fast_import(b"feature done\n" + b"".join(lines))


def _unlike(project: Project, ours: str | None, theirs: str) -> tuple[Entries, Entries]:
    """The runs (as folders) and verdicts of two ledgers, without the folders that are the same in both."""
    known: Entries = {}
    offered: Entries = {}
    for kind in (b"runs/", b"verdicts/"):
        old = {} if ours is None else _listed(project, ours, [kind])
        new = _listed(project, theirs, [kind])
        differing = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
        for commit, there, found in ((ours, old, known), (theirs, new, offered)):
            folders = [path + b"/" for path in differing if path in there]
            if commit is not None and folders:
                found.update(_listed(project, commit, folders))
    return known, offered


def _listed(project: Project, commit: str, folders: Sequence[bytes]) -> Entries:
    """What stands directly in some folders of a commit."""
    return {path: (mode, oid) for mode, oid, path in project.git.list_folders(commit, folders)}

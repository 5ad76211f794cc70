"""What a worker of a cluster does for a sweep: the code by git, the data from the remote, a receipt back."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tallystick import __version__, files
from tallystick.digest import Digest
from tallystick.engines.cluster import Site, Task
from tallystick.errors import NotTrusted, ObjectMissing, Refused, TallyError
from tallystick.files import write_atomic
from tallystick.git import exchange
from tallystick.git.plumbing import Git
from tallystick.progress import Silent
from tallystick.project import SHARED_CONFIG, Project, open_places, open_remote
from tallystick.records import receipt as receipts
from tallystick.records.receipt import Receipt
from tallystick.records.secrets import Redacting, Redactor
from tallystick.reproduction.apart import State
from tallystick.reproduction.points import attend_point, to_plain
from tallystick.runs import ledger
from tallystick.runs.attending import Attendance, Orders, StageRun
from tallystick.runs.inputs import Standing, Surroundings
from tallystick.runs.made import blobs_of
from tallystick.runs.pipelines import Step, load_at
from tallystick.store import transfer

PATIENCE = 600.0
"""Seconds to wait while another task of this worker brings the code."""

MADE_HERE = ("succeeded", "failed")
"""What a stage is that ran in this task; of others the receipt is known to whoever asks."""


def work(task: Task, site: Site) -> Task:
    """Do one point of a sweep in a repository of the worker's own.

    Only commands that the task says were allowed by who sends it are run. What goes wrong is told by the
    result: this may be another version of tally than the one that asked.
    """
    output = _Output(site)
    try:
        return _worked(task, site, output)
    except KeyboardInterrupt:
        return {"interrupted": True}
    except TallyError as error:
        return {"error": error.message, "hint": error.hint}
    finally:
        output.close()


def _worked(task: Task, site: Site, output: "_Output") -> Task:
    if site.stop.is_set():
        raise KeyboardInterrupt
    if task["version"] != __version__:
        raise Refused(
            f"a worker has tally {__version__}, and the sweep comes from {task['version']}",
            hint=f"install the same version on all workers: pip install tallystick=={task['version']}",
        )
    project = _project(task, site.scratch)
    edits = {path: text.encode() for path, text in task["edits"].items()}
    graph = load_at(project, task["tree"], edits)
    steps = [graph.steps[address] for address in task["stages"]]
    _require_allowed(task, steps)
    standing = Standing(task["head"], tuple(task["left_out"]), task["submodules"])
    state = State(task["tree"], standing, edits, {})
    variables = {**site.variables, **task["variables"]}
    # What a stage lists is as it is for the user, set or not.
    known = {name: value for name, value in variables.items() if value is not None}
    surroundings = Surroundings(known, stop=site.stop)
    to = Attendance(project, graph, surroundings, Orders(reuse=task["reuse"]), output, output)
    stages = attend_point(to, steps, state)
    return _told(project, task, stages)


class _Output(Silent):
    """What stages write and what is said of them, without secrets: a cluster shows it to many."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._redactor = Redactor.of(site.variables)
        self._redacting = Redacting(self._redactor)

    def __call__(self, data: bytes) -> None:
        if shown := self._redacting.feed(data):
            self._site.heard(shown)

    def say(self, message: str) -> None:
        self._site.said(self._redactor.text(message))

    def close(self) -> None:
        if rest := self._redacting.end():
            self._site.heard(rest)


def _require_allowed(task: Task, steps: Iterable[Step]) -> None:
    """Run nothing but what the user who sends the task has seen (rule X2)."""
    unknown = [step.command for step in steps if step.command not in task["commands"]]
    if unknown:
        raise NotTrusted(f"the task's code would run `{unknown[0]}`, which nobody has allowed", unknown)


def _project(task: Task, scratch: Path) -> Project:
    """The worker's own repository for this code, with what the sweep sent; kept for the next task."""
    folder = scratch / f"tally-{Digest.of(task['url'].encode()).hex()[:16]}"
    with files.lock(folder.with_suffix(".lock"), what="the code of a sweep", wait=PATIENCE):
        if not (folder / ".git" / "HEAD").exists():
            exchange.begin(folder)
        git = Git.discover(folder)
        # The commit's ref is made last: where it is, all the rest is.
        if git.resolve_ref(task["ref"]) != task["commit"]:
            _fetch(git, task, scratch)
    return open_places(git, scratch / "settings")


def _fetch(git: Git, task: Task, scratch: Path) -> None:
    """Bring the code and the ledger by git, and take over the settings that lead to the data."""
    if "origin" not in git.remotes():
        git.run("remote", "add", "origin", task["url"])
    name, _, email = task["author"].partition(" <")
    remote = task["remote"]
    settings = {
        "user.name": name,
        "user.email": email.rstrip(">"),
        "tally.core.remote": remote["name"],
        **{f"tally.remote.{remote['name']}.{key}": value for key, value in remote["settings"].items()},
    }
    for key, value in settings.items():
        git.set_config(key, value)
    if not git.fetch_ref("origin", f"+{task['ref']}:refs/tally/fetched"):
        raise Refused("the sweep's code is no longer at git's remote", hint="has the sweep ended?")
    shared = git.read_at(task["commit"], [SHARED_CONFIG]).get(SHARED_CONFIG)
    if shared is not None:
        write_atomic(git.root / SHARED_CONFIG, shared)
    if task["ledger"] is not None:
        ledger.receive(open_places(git, scratch / "settings"), "origin", task["ledger"])
    git.update_ref(task["ref"], task["commit"], None)


def _told(project: Project, task: Task, stages: Sequence[StageRun]) -> Task:
    """What became of each stage, with the receipts and the code of those that ran; their blobs are sent."""
    ids = [stage.run for stage in stages if stage.run is not None and stage.status in MADE_HERE]
    texts = [data for _, data in ledger.texts(project, ids)]
    found = [receipts.parse(data) for data in texts]
    if found:
        _send(project, task, found)
    trees = [receipt.code.tree for receipt in found]
    return {
        "stages": [to_plain(stage) for stage in stages],
        "receipts": [data.decode() for data in texts],
        "objects": exchange.packed(project.git, trees, task["commit"]) if trees else b"",
    }


def _send(project: Project, task: Task, found: Iterable[Receipt]) -> None:
    """Make what runs made durable at the remote."""
    roots: set[Digest] = set()
    blobs: set[bytes] = set()
    for receipt in found:
        own, reached = blobs_of(project, receipt)
        roots |= own
        blobs |= reached
    try:
        transfer.push(
            project.store,
            open_remote(project),
            blobs,
            repository=project.config.repository or "",
            commits=(task["head"],),
            roots=roots,
        )
    except ObjectMissing as error:
        raise Refused(f"what a run made is gone from the worker's store: {error.message}") from error

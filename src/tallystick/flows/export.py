"""Show a run to others: write its receipt to an MLflow server."""

import posixpath
from collections.abc import Mapping, Sequence

from tallystick import __version__, files
from tallystick.digest import Digest
from tallystick.errors import ObjectsError, Refused
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import series as series_record
from tallystick.records.receipt import Receipt
from tallystick.records.secrets import Redactor
from tallystick.records.series import Step
from tallystick.runs import ledger
from tallystick.runs.attachments import Attachment, attachments, opened
from tallystick.runs.edited import refuse_edited_here
from tallystick.runs.pipelines import load
from tallystick.runs.receipts import recorded
from tallystick.trackers.content import Content
from tallystick.trackers.mlflow import LOGIN, Known, MLflow
from tallystick.trackers.translation import content_of
from tallystick.trackers.web import Address, Server, address_of

SETTING = "mlflow.uri"
PATIENCE = 60
"""Seconds that a second export waits for the first, lest a run be made twice."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A run on the server, its `id` and `page` there, and what the server was told of it now."""

    run: Digest
    stage: str
    server: str
    experiment: str
    id: str
    page: str
    status: str
    new: bool
    params: int
    metrics: int
    inputs: int
    artifacts: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where runs are to go: a server's address and an experiment; without, the user's settings say it."""

    uri: str | None = None
    experiment: str | None = None


def export(
    project: Project,
    target: str,
    destination: Destination,
    *,
    variables: Mapping[str, str],
    largest_out: int | None = None,
    folder: str = "",
    progress: Progress = silent,
) -> Exported:
    """Write one run, meant by its id or its stage, to MLflow; what the server has of it is not told again.

    Raises Refused where no server is named, RemoteUnreachable where it doesn't answer.
    """
    run, receipt = _meant(project, target, folder)
    address = _address(project, destination.uri, variables)
    # The default is the folder's name: that of a clone, which its owner chose.
    experiment = destination.experiment or variables.get("MLFLOW_EXPERIMENT_NAME") or project.git.root.name
    mlflow = MLflow(Server(address, f"tallystick/{__version__}", LOGIN))
    redactor = Redactor.of(variables)
    notes = ["the login went there unencrypted: https would hide it"] if address.exposes_login else []
    attached = attachments(project, receipt, largest_out, progress, notes)
    content = content_of(run, receipt, _series(project, receipt, notes), _held(project, receipt), redactor)
    with files.lock(project.home / "locks" / "export", what="an export", wait=PATIENCE):
        home = mlflow.experiment(experiment)
        known = mlflow.find(home, str(run)) or mlflow.create(home, content)
        progress.begin("sending params and metrics")
        told = _tell(mlflow, known, content)
        progress.end()
        sent = _send(project, mlflow, known, attached, redactor, progress, notes)
        mlflow.end(known, content)
    return Exported(
        run,
        receipt.stage,
        address.url,
        experiment,
        known.id,
        f"{address.url}/#/experiments/{home}/runs/{known.id}",
        content.status,
        known.new,
        *told,
        sent,
        (*content.notes, *notes),
    )


def _meant(project: Project, target: str, folder: str) -> tuple[Digest, Receipt]:
    """A stage's receipt in the worktree, or a run of the ledger."""
    graph = load(project)
    for address in (f"{folder}:{target}", target):
        step = graph.steps.get(address)
        if step is not None:
            present = recorded(project, step)
            if present is None:
                raise Refused(f"stage `{address}` has no receipt", hint="name one of its runs: `tally log`")
            refuse_edited_here(project, present)
            return present.id, present.receipt
    if not ledger.seems_run(target):
        raise Refused(f"`{target}` is no run and no stage", hint="see `tally log`")
    run = ledger.find(project, target)
    return run.id, run.receipt


def _address(project: Project, uri: str | None, variables: Mapping[str, str]) -> Address:
    """The server that the user means; what a repository shares has no say in it (rule K2)."""
    chosen = uri or project.config.values.get(SETTING) or variables.get("MLFLOW_TRACKING_URI")
    if not chosen:
        raise Refused(
            "no MLflow server is named",
            hint=f"`--uri http://localhost:5000`, or `tally config --local {SETTING} <address>`",
        )
    return address_of(
        chosen,
        variables.get("MLFLOW_TRACKING_USERNAME", ""),
        variables.get("MLFLOW_TRACKING_PASSWORD", ""),
        variables.get("MLFLOW_TRACKING_TOKEN", ""),
    )


def _series(project: Project, receipt: Receipt, notes: list[str]) -> tuple[Step, ...]:
    if receipt.series is None:
        return ()
    try:
        return tuple(series_record.read(project.store.read(receipt.series)))
    except ObjectsError:
        notes.append("its metric series is in no store at hand; its last metrics were told")
        return ()


def _held(project: Project, receipt: Receipt) -> frozenset[str]:
    """The files that git has of the code that ran; none where that is not here."""
    try:
        return frozenset(file.path for file in project.git.list_tree(receipt.code.tree))
    except Refused:
        return frozenset()


def _tell(mlflow: MLflow, known: Known, content: Content) -> tuple[int, int, int]:
    """All but the files; how many params, points of metrics and inputs there were to tell."""
    params = mlflow.log_params(known, content.params)
    metrics = mlflow.log_metrics(known, content.metrics)
    inputs = mlflow.log_inputs(known, content.inputs)
    mlflow.log_tags(known, content.tags)
    return params, metrics, inputs


def _send(
    project: Project,
    mlflow: MLflow,
    known: Known,
    attached: Sequence[Attachment],
    redactor: Redactor,
    progress: Progress,
    notes: list[str],
) -> tuple[str, ...]:
    """Send the files that the server lacks; say which, and note those that could not be sent."""
    sent: list[str] = []
    held: dict[str, dict[str, int]] = {}
    progress.begin("sending artifacts", files=len(attached), size=sum(each.size for each in attached))
    for each in attached:
        above, name = posixpath.split(each.path)
        if not known.new and above not in held:
            held[above] = mlflow.held(known, above)
        reason = None
        try:
            with opened(project, each, redactor) as (content, size):
                if held.get(above, {}).get(name) != size:
                    reason = mlflow.upload(known, each.path, content, size)
                    sent += [each.path] if reason is None else []
        except (ObjectsError, Refused) as error:
            reason = error.message
        notes += [f"`{each.path}` was not sent: {reason}"] if reason is not None else []
        progress.advance(1, each.size)
    progress.end()
    return tuple(sent)

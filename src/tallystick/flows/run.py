"""Execute the stages that are out of date, and write a receipt for every run."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from tallystick.errors import CommandFailed, WrongUsage
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.project.trust import require_grant
from tallystick.records.stage import Stage
from tallystick.runs.accounts import refuse_new_secrets
from tallystick.runs.aside import give_back_leftovers
from tallystick.runs.attending import Attendance, Orders, StageRun, attend_all
from tallystick.runs.declaring import grown, with_last_findings
from tallystick.runs.editing import with_params, with_stage
from tallystick.runs.inputs import Surroundings, params_now
from tallystick.runs.interrupted import write_down
from tallystick.runs.pipelines import Graph, Step, load
from tallystick.runs.readiness import require
from tallystick.runs.selection import Reach, chosen
from tallystick.runs.staleness import stale_stages
from tallystick.runs.writing import write_record

APART = "tallystick.reproduction.apart"
"""What runs stages in a temporary worktree: loaded where that is asked for."""


@dataclass(frozen=True, slots=True)
class Ran:
    """All stages that were asked for, in order; `exit_code` is not 0 when some failed and others went on."""

    stages: tuple[StageRun, ...]
    dry_run: bool
    notes: tuple[str, ...] = ()
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: targets, a stage to write into `tally.yaml`, parameters to change first.

    `reach` says which stages targets mean besides those that they name; `declare` adds what they read to
    their deps.
    """

    targets: tuple[str, ...] = ()
    folder: str = ""
    stage: Stage | None = None
    overrides: tuple[str, ...] = ()
    force: bool = False
    dry_run: bool = False
    reach: Reach = "needed"
    reuse: bool = True
    keep_going: bool = False
    jobs: int = 1
    isolated: bool = False
    declare: bool = False


def run(
    project: Project,
    request: Request,
    *,
    variables: Mapping[str, str],
    output: Callable[[bytes], None],
    progress: Progress = silent,
) -> Ran:
    """Run the stages that are out of date, each after those it depends on.

    Raises NotTrusted before anything runs or is written, CommandFailed at the first stage that fails, after
    its receipt is in the ledger, unless the others shall go on.
    """
    if request.isolated and request.stage is not None:
        raise WrongUsage(
            "`--isolated` leaves your files as they are, and a new stage is written into `tally.yaml`",
            hint="leave out `--isolated`",
        )
    edits = _edited(project, request)
    graph = load(project, edits)
    steps = chosen(graph, _targets(request), request.folder, request.reach)
    declared = {step.address: step.deps for step in steps}
    if request.declare:
        edits = with_last_findings(project, steps, edits)
        graph = load(project, edits)
        steps = chosen(graph, _targets(request), request.folder, request.reach)
    surroundings = Surroundings(variables, edits, declare=request.declare)
    if request.dry_run:
        return _plan(project, graph, steps, surroundings, request.force)
    refuse_new_secrets("" if request.stage is None else request.stage.cmd, request.overrides, variables)
    require_grant(project, [step.command for step in steps])
    write_down(project, needed=True)
    orders = Orders(request.force, request.reuse, request.keep_going, request.jobs)
    attendance = Attendance(project, graph, surroundings, orders, output, progress)
    if request.isolated:
        return _ran(import_module(APART).run_apart(attendance, steps, edits))
    give_back_leftovers(project)
    require(project, graph, steps)
    _require_params(project, graph, request, surroundings)
    for path, text in edits.items():
        write_record(project, path, text)
    for step in steps:
        before = frozenset(declared[step.address])
        if new := [path for path in step.deps if path not in before]:
            progress.say(grown(step, new))
    return _ran(attend_all(attendance, steps))


def _require_params(project: Project, graph: Graph, request: Request, surroundings: Surroundings) -> None:
    """Raise BadRecord if a new stage names parameters that aren't there and that no stage makes."""
    if request.stage is not None:
        step = graph.steps[graph.addresses(request.stage.name, request.folder)[0]]
        if not any(graph.maker(part.path) for part in step.params):
            params_now(project, step, surroundings)


def _edited(project: Project, request: Request) -> dict[str, bytes]:
    """The files that a request changes, as they will be; nothing is written yet."""
    stage, folder = request.stage, request.folder
    edits = {} if stage is None else with_stage(project, folder, stage, force=request.force)
    return with_params(project, folder, request.overrides, edits)


def _targets(request: Request) -> tuple[str, ...]:
    """What was named, the new stage among it."""
    return request.targets if request.stage is None else (*request.targets, request.stage.name)


def _plan(
    project: Project, graph: Graph, steps: Sequence[Step], surroundings: Surroundings, force: bool
) -> Ran:
    """Say what would run; nothing is."""
    reasons = stale_stages(project, graph, surroundings)
    planned = []
    for step in steps:
        runs = not step.stage.frozen and (force or bool(reasons[step.address]))
        status = "would run" if runs else "frozen" if step.stage.frozen else "up to date"
        planned.append(StageRun(step.address, status, reasons[step.address], step.command))
    return Ran(tuple(planned), dry_run=True)


def _ran(stages: tuple[StageRun, ...]) -> Ran:
    notes = dict.fromkeys(note for stage in stages for note in stage.notes)
    failed = any(stage.status == "failed" for stage in stages)
    return Ran(stages, dry_run=False, notes=tuple(notes), exit_code=CommandFailed.exit_code if failed else 0)

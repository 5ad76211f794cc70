"""What a receipt says of a run besides what its stage declares: settings, lock files, how it ended."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tallystick.envs.captured import Captured
from tallystick.envs.settings import settings
from tallystick.errors import BadRecord, Refused
from tallystick.project import Project
from tallystick.records import metrics as metrics_record
from tallystick.records.environment import normalised
from tallystick.records.provenance import EnvironmentRef
from tallystick.records.receipt import Receipt
from tallystick.records.secrets import Redactor, says_secret
from tallystick.runs.execution import Execution
from tallystick.runs.lockfiles import drift, lock_files
from tallystick.runs.pipelines import Step, read_file
from tallystick.runs.recording import Record, cause_of

UNFINISHED = "ended without a receipt: it was killed, or the disk was full"
"""What is said of a run that nobody was left to write down."""

KILLED = 137
"""Its exit code, as shells tell of SIGKILL."""

TELLING = {
    "numpy": ("numpy",),
    "torch": ("torch",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos", "tf-nightly"),
}
"""Modules that tell their version in a process that has loaded them, and the packages that they come from."""

_INSTEAD = (
    "let the command read it from an environment variable that `variables` doesn't list, "
    "or from a file that git ignores"
)


def described(
    project: Project,
    step: Step,
    captured: Captured | None,
    ref: EnvironmentRef,
    variables: Mapping[str, str],
) -> EnvironmentRef:
    """An environment with what changes numbers in it, and with what the project's own lock files say."""
    lock = None if captured is None else captured.lock
    paths = () if captured is None else captured.paths
    found = lock_files(project, step.folder)
    redactor = Redactor.of(variables)
    listened = {name: redactor.text(value) for name, value in settings(lock, paths, variables).items()}
    return replace(ref, settings=listened, locks=tuple(found), drift=drift(project, found, lock))


def concluded(
    receipt: Receipt,
    execution: Execution,
    record: Record,
    complaint: str | None,
    variables: Mapping[str, str],
    captured: Captured | None,
) -> Receipt:
    """A receipt with how its run ended: why, the last lines of the output, and what its processes told."""
    redactor = Redactor.of(variables)
    # What an image has installed is recorded by the image's digest alone: there is nothing to compare with.
    said, inside = record.settings(redactor), receipt.environment.container is not None
    environment = replace(
        receipt.environment,
        settings={**receipt.environment.settings, **said},
        drift=receipt.environment.drift if inside else (*receipt.environment.drift, *unlike(said, captured)),
    )
    return replace(
        receipt,
        series=execution.series,
        cause=cause_of(complaint, redactor),
        tail=() if complaint is None else record.tail(),
        trackers=record.trackers(redactor),
        environment=environment,
    )


def unlike(said: Mapping[str, str], captured: Captured | None) -> Iterator[str]:
    """Where a command used other packages than were captured: it started a Python that nobody foresaw."""
    packages = () if captured is None else captured.lock.packages
    recorded = {normalised(package.name): package.version for package in packages}
    for name in sorted(TELLING & said.keys()):
        known = next((recorded[each] for each in TELLING[name] if each in recorded), "none")
        if said[name].partition("+")[0] != known.partition("+")[0]:
            yield f"{name}: the command used {said[name]}, the environment that was recorded has {known}"


def partial_metrics(project: Project, step: Step) -> dict[str, Mapping[str, float]]:
    """The metrics that a command which failed has written before, as far as they can be read."""
    found: dict[str, Mapping[str, float]] = {}
    for path in metrics_files(project, step):
        with suppress(BadRecord, Refused, OSError):
            data = read_file(project, path)
            if data:
                found[path] = metrics_record.read(data, path)
    return found


def metrics_files(project: Project, step: Step) -> Iterator[str]:
    """The stage's files of metrics, and those of its pipeline that it wrote into its outs."""
    outs = {out.path: out.kind for out in step.outs}
    yield from (path for path, kind in outs.items() if kind == "metrics")
    for path in step.beside:
        inside = any(path == out or path.startswith(f"{out}/") for out in outs)
        if inside and outs.get(path) != "metrics" and (project.git.root / path).is_file():
            yield path


def refuse_secrets(
    steps: Sequence[Step],
    params: Mapping[str, Mapping[str, Any]],
    recorded: Mapping[str, str | None],
    variables: Mapping[str, str],
) -> None:
    """Raise Refused if a secret would stand in a receipt, which git keeps and everybody gets (rule K3)."""
    redactor = Redactor.of(variables)
    for step in steps:
        if kind := redactor.found(step.command):
            raise _refused(step, "its command", kind)
        for name, value in _said(params):
            if value and says_secret(name.rpartition(".")[2]):
                raise _refused(step, f"its parameter `{name}`", "a secret, by its name")
            if kind := redactor.found(value):
                raise _refused(step, f"its parameter `{name}`", kind)
        for name, text in recorded.items():
            if kind := redactor.found(text or ""):
                raise _refused(step, f"the variable `{name}`", kind)


def refuse_new_secrets(
    cmd: str | Sequence[str], overrides: Sequence[str], variables: Mapping[str, str]
) -> None:
    """The same for what a command line would write into files that git tracks (rule K1)."""
    redactor = Redactor.of(variables)
    command = cmd if isinstance(cmd, str) else " ".join(cmd)
    for what, texts in (("the new stage's command", [command]), ("`--set-param`", overrides)):
        for text in texts:
            if kind := redactor.found(text):
                raise Refused(
                    f"{what} holds {kind}, which would stand in a file that git tracks", hint=_INSTEAD
                )


def _said(params: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The parameters that are texts, by themselves or in lists."""
    for values in params.values():
        for name, value in values.items():
            for text in value if isinstance(value, list) else (value,):
                if isinstance(text, str):
                    yield name, text


def _refused(step: Step, place: str, kind: str) -> Refused:
    return Refused(
        f"stage `{step.address}`: {place} holds {kind}, which would stand in its receipt",
        hint=_INSTEAD,
    )

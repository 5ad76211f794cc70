"""Hold the metrics that receipts have against those of a baseline; nothing runs."""

from collections.abc import Sequence

from tallystick.errors import WrongUsage
from tallystick.project import Project
from tallystick.reproduction.baseline import Against, baseline_of, recorded_measures
from tallystick.reproduction.past import past


def against(
    project: Project,
    target: str,
    revision: str | None,
    conditions: Sequence[str] = (),
    *,
    stages: Sequence[str] = (),
    folder: str = "",
) -> Against:
    """Compare the receipts of a commit, or one run, with those of another.

    Raises WrongUsage for a condition that can't be read, Refused for a metric or receipt that isn't there.
    """
    found = past(project, target, stages, folder)
    baseline = baseline_of(project, revision, conditions, found, folder)
    if baseline is None:
        raise WrongUsage("there is nothing to compare with", hint="add `--against main`")
    return baseline.against(found, recorded_measures(found), repeated=False)

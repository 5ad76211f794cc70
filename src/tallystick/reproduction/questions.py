"""Whether it makes sense to look for the commit that made a metric bad: between which, and of which stage."""

from collections.abc import Sequence

from tallystick.errors import Refused
from tallystick.git.ancestry import is_shallow, leads_to, merge_base
from tallystick.project import Project
from tallystick.reproduction.past import or_shallow
from tallystick.runs.measures import joined, names, places
from tallystick.runs.pipelines import Graph, load_at
from tallystick.runs.receipts import recorded_at
from tallystick.runs.searching import instead


def ends(project: Project, good_rev: str, bad_rev: str, *, above: bool) -> tuple[str, str]:
    """Both commits; raise Refused unless the bad one comes after the good one."""
    good, bad = (_resolved(project, rev) for rev in (good_rev, bad_rev))
    git = project.git
    if good == bad:
        raise Refused(f"`{good_rev}` and `{bad_rev}` are the same commit")
    if leads_to(git, good, bad):
        return good, bad
    message = f"`{good_rev}` does not lead to `{bad_rev}`"
    if is_shallow(git):
        raise or_shallow(project, Refused(message))
    if leads_to(git, bad, good):
        other = "below" if above else "above"
        hint = f"the good commit comes first; to find what made it better, swap them and say `--{other}`"
        raise Refused(f"{message}: it comes after it", hint=hint)
    base = merge_base(git, good, bad)
    hint = "name commits of one history" if base is None else f"both come from {base[:10]}: is that one good?"
    raise Refused(message, hint=hint)


def _resolved(project: Project, rev: str) -> str:
    try:
        return project.git.resolve(rev)
    except Refused as error:
        raise or_shallow(project, error) from None


def reporter(project: Project, metric: str, commits: Sequence[str], stage: str | None, folder: str) -> str:
    """The stage that reports a metric: the named one, else by the receipts of some commits, the newest first.

    Raises Refused for none, or several.
    """
    graph = load_at(project, commits[0])
    if stage is not None:
        return _only(graph.addresses(stage, folder), f"`{stage}` means")
    known: list[str] = []
    for commit in commits:
        measures = {
            address: each.receipt.metrics
            for address, each in recorded_at(project, commit, load_at(project, commit)).items()
        }
        every = joined(measures.values())
        files = {file for file, _key in places(every, metric)}
        found = [address for address, own in measures.items() if files & own.keys()]
        if found:
            return _only(found, f"`{metric}` is reported by")
        known += names(every)
    if known:
        hint = instead(metric, list(dict.fromkeys(known)))
        raise Refused(f"no receipt at either end has a metric `{metric}`", hint=hint)
    return _only(_reporting(graph), "metrics are reported by")


def _reporting(graph: Graph) -> list[str]:
    """The stages that declare metrics."""
    steps = graph.steps.items()
    return [address for address, step in steps if any(out.kind == "metrics" for out in step.outs)]


def _only(addresses: Sequence[str], what: str) -> str:
    if not addresses:
        hint = "name a stage's metrics file under `metrics`, or say `--stage`"
        raise Refused("no stage reports metrics", hint=hint)
    if len(addresses) > 1:
        some = ", ".join(f"`{address}`" for address in addresses[:5])
        raise Refused(f"{what} several stages: {some}", hint=f"say which: `--stage {addresses[0]}`")
    return addresses[0]

"""Metrics beside those of a baseline, and whether conditions on them hold."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from tallystick.errors import BadRecord, Refused, WrongUsage
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import metrics as metrics_record
from tallystick.reproduction.past import Past, past
from tallystick.runs import formulas
from tallystick.runs.formulas import Formula, Metric
from tallystick.runs.measures import Measures, Place, joined, names, places, short_name
from tallystick.runs.pipelines import read_file
from tallystick.runs.receipts import Recorded
from tallystick.runs.searching import instead


@dataclass(frozen=True, slots=True)
class MetricPair:
    """One metric on both sides; None where it isn't there."""

    name: str
    baseline: float | None
    now: float | None
    change: float | None


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition, whether it holds, and the numbers that it was computed from."""

    text: str
    holds: bool
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Against:
    """The metrics of a target beside a baseline's, and the conditions under which that is a failure.

    `repeated` if they were measured again just now, and not taken from receipts.
    """

    target: str
    baseline: str | None
    commit: str | None
    repeated: bool
    metrics: tuple[MetricPair, ...]
    conditions: tuple[Condition, ...]

    @property
    def failed(self) -> bool:
        """Whether one of the conditions holds."""
        return any(each.holds for each in self.conditions)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The other side, found and read before anything runs; without one, conditions ask for numbers only."""

    name: str | None
    commit: str | None
    measures: Mapping[str, Measures]
    formulas: tuple[Formula, ...] = ()

    def against(self, found: Past, measured: Mapping[str, Measures], *, repeated: bool) -> Against:
        """Hold what stages measured, by their addresses, against the baseline.

        Raises Refused where a condition asks for a metric that a side hasn't.
        """
        now, before = joined(measured.values()), self._measures(found)
        conditions = tuple(_judged(formula, self, now, before) for formula in self.formulas)
        pairs = tuple(_pairs(now, before)) if self.name is not None else ()
        return Against(found.target, self.name, self.commit, repeated, pairs, conditions)

    def check(self, found: Past) -> None:
        """Raise Refused where a condition asks for what a side will not have, going by its receipts."""
        self.against(found, recorded_measures(found), repeated=False)

    def _measures(self, found: Past) -> dict[str, dict[str, float]]:
        """What the same stages came to there."""
        return joined(self.measures[address] for address in found.recorded if address in self.measures)


def baseline_of(
    project: Project, revision: str | None, conditions: Sequence[str], found: Past, folder: str = ""
) -> Baseline | None:
    """What a target is to be compared with; None without a revision and conditions.

    Raises WrongUsage for a condition that can't be read, Refused for a revision without a receipt of the
    same stages, or without a metric that is asked for.
    """
    read = tuple(map(formulas.parse, conditions))
    if revision is None and not read:
        return None
    if revision is None:
        _refuse_baseline(read)
        return _checked(Baseline(None, None, {}, read), found)
    other = past(project, revision, (), folder)
    if not other.recorded.keys() & found.recorded.keys():
        stages = ", ".join(f"`{address}`" for address in found.recorded)
        raise Refused(f"`{revision}` has no receipt of {stages}", hint=f"see `tally diff {revision}`")
    return _checked(Baseline(revision, other.commit, recorded_measures(other), read), found)


def recorded_measures(found: Past) -> dict[str, Measures]:
    """The metrics that receipts hold, by stage."""
    return {address: each.receipt.metrics for address, each in found.recorded.items()}


def _checked(baseline: Baseline, found: Past) -> Baseline:
    baseline.check(found)
    return baseline


def _refuse_baseline(read: Sequence[Formula]) -> None:
    for formula in read:
        asked = next((each for each in formula.metrics() if each.baseline), None)
        if asked is not None:
            message = formula.refusal(asked.at, "there is no baseline").message
            raise WrongUsage(message, hint="name one: `--against main`")


def _judged(formula: Formula, baseline: Baseline, now: Measures, before: Measures) -> Condition:
    """Compute one condition."""
    numbers: dict[str, float] = {}

    def value(metric: Metric) -> float:
        found = places(now, metric.name)
        if metric.baseline:
            # In the same file as the run's, where that has it: another file's metric is another one.
            found = [each for each in found if each[1] in before.get(each[0], ())] or (
                [] if found else places(before, metric.name)
            )
        side, where = (before, f"`{baseline.name}`") if metric.baseline else (now, "the run")
        file, key = _only(formula, metric, found, where, names(side))
        name = short_name((file, key))
        numbers[f"{formulas.BASELINE}.{name}" if metric.baseline else name] = side[file][key]
        return side[file][key]

    # All that it names must be there, whichever of its parts decides.
    values = {metric: value(metric) for metric in formula.metrics()}
    return Condition(formula.text, formula.holds(values.__getitem__), numbers)


def _only(
    formula: Formula, metric: Metric, found: Sequence[Place], where: str, known: Sequence[str]
) -> Place:
    """The one metric that a name means; raise Refused for none or several."""
    if len(found) > 1:
        spelled = " or ".join(_written(short_name(each)) for each in found)
        raise formula.refusal(metric.at, f"`{metric.name}` means several metrics", f"write {spelled}")
    if not found:
        hint = instead(metric.name, known) if known else "name the files of metrics under `metrics`"
        raise formula.refusal(metric.at, f"{where} has no metric `{metric.name}`", hint)
    return found[0]


def _written(name: str) -> str:
    """A metric's name as a condition has to spell it."""
    return f"`{name}`" if formulas.is_plain(name) else f'`"{name}"`'


def _pairs(now: Measures, before: Measures) -> list[MetricPair]:
    """All metrics of both sides, those of now first."""
    found = dict.fromkeys((file, key) for side in (now, before) for file in side for key in side[file])
    return [
        _pair(place, *(side.get(place[0], {}).get(place[1]) for side in (before, now))) for place in found
    ]


def _pair(place: Place, baseline: float | None, now: float | None) -> MetricPair:
    change = None if baseline is None or now is None else now - baseline
    return MetricPair(short_name(place), baseline, now, change)


def measured(inner: Project, recorded: Recorded) -> Measures:
    """What a repeated stage wrote into its metrics files; without those that are missing or no numbers."""
    found: dict[str, Mapping[str, float]] = {}
    for path in recorded.receipt.metrics:
        data = read_file(inner, path)
        if data is not None:
            with suppress(BadRecord):  # the verdict says it: that out is different
                found[path] = metrics_record.read(data, path)
    return found

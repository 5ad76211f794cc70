"""A verdict as JUnit XML, which systems for continuous integration show."""

from collections.abc import Iterable, Iterator, Sequence

from tallystick.cli.differences import difference_text
from tallystick.cli.page import Markup, tag
from tallystick.digest import Digest
from tallystick.records.verdict import REPRODUCED, Comparison, StageVerdict, Verdict

UNBUILT = "could not be rebuilt"
DOUBTFUL = "inconclusive"
REPEATED = "repeated"
"""The name of the case that says whether a stage could be executed again at all."""

_HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAME = "tally repro"

# Characters that no XML may hold, escaped or not; what steers a terminal is shown as its code already.
_FORBIDDEN = {0xFFFE: None, 0xFFFF: None}


def junit(verdict: Verdict, identity: Digest, notes: Sequence[str] = (), more: Iterable[Markup] = ()) -> str:
    """Write one suite for the reproduction, with a case for each stage and each of its outs, and `more`."""
    cases = [case for stage in verdict.stages for case in _cases(stage)]
    return suite(
        verdict.target,
        verdict.started,
        [*cases, *more],
        properties=tuple(_facts(verdict, identity)),
        notes=tuple(dict.fromkeys((*verdict.notes, *notes))),
        seconds=sum(stage.seconds for stage in verdict.stages),
    )


def suite(
    name: str,
    started: str,
    cases: Sequence[Markup],
    *,
    properties: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
    seconds: float = 0.0,
) -> str:
    """Write a report of one suite of cases."""
    counts = {
        "tests": len(cases),
        "failures": sum("<failure " in case for case in cases),
        "errors": sum("<error " in case for case in cases),
        "skipped": 0,
        "time": _seconds(seconds),
    }
    told = tag(
        "testsuite",
        tag("properties", *(tag("property", name=key, value=value) for key, value in properties)),
        *cases,
        *([tag("system-out", _text(notes))] if notes else []),
        name=name,
        # Readers of JUnit know neither fractions nor zones; it is UTC.
        timestamp=started[:19],
        **counts,
    )
    return f"{_HEADER}{tag('testsuites', told, name=_NAME, **counts)}\n".translate(_FORBIDDEN)


def case(
    name: str,
    group: str,
    *,
    seconds: float = 0.0,
    wrong: tuple[str, str] | None = None,
    kind: str = "",
    told: Sequence[str] = (),
) -> Markup:
    """Write one case; `wrong` is `failure` or `error` with a sentence, and `kind` names what it is."""
    parts = [tag("system-out", _text(told))] if told else []
    if wrong is not None:
        element, reason = wrong
        parts = [tag(element, _text(told) or _line(reason), message=_line(reason), type=kind)]
    return tag("testcase", *parts, name=name, classname=group, time=_seconds(seconds))


def is_junit_of_ours(data: bytes) -> bool:
    """Whether the beginning of a file is that of such a report."""
    return data.startswith(f'{_HEADER}<testsuites name="{_NAME}"'.encode())


def _facts(verdict: Verdict, identity: Digest) -> Iterator[tuple[str, str]]:
    yield "verdict", identity.hex()
    yield "outcome", verdict.outcome
    yield "commit", verdict.commit or "none"
    yield "environment", str(verdict.environment or "none")
    yield "python", f"{verdict.python} on {verdict.platform}"
    yield "tool", verdict.tool
    yield "repetitions", str(verdict.repetitions)
    yield from (("enforced", fact) for fact in verdict.enforced)
    yield from (("not as recorded", line) for line in verdict.unlike)


def _cases(stage: StageVerdict) -> Iterator[Markup]:
    """The stage itself comes first: an error where it could not be executed again, a failure in doubt."""
    reason = stage.reason or stage.outcome
    told = [reason] if stage.reason else []
    told += [f"{axis.name}: {axis.outcome} ({axis.detail})" for axis in stage.axes]
    element = {UNBUILT: "error", DOUBTFUL: "failure"}.get(stage.outcome)
    wrong = tag(element, reason, message=_line(reason), type=stage.outcome) if element else None
    yield _case(stage, REPEATED, stage.seconds, wrong, told)
    for comparison in stage.comparisons:
        yield _case(stage, comparison.path, 0.0, _wrong(comparison), _told(comparison))


def _case(
    stage: StageVerdict, name: str, seconds: float, wrong: Markup | None, told: Sequence[str]
) -> Markup:
    parts = [wrong] if wrong is not None else [tag("system-out", _text(told))] if told else []
    return tag("testcase", *parts, name=name, classname=stage.stage, time=_seconds(seconds))


def _wrong(comparison: Comparison) -> Markup | None:
    """What says that an out is not the recorded one; None if it is."""
    if comparison.outcome in REPRODUCED:
        return None
    lines = _told(comparison)
    element = "error" if comparison.outcome == UNBUILT else "failure"
    message = f"{comparison.path}: {comparison.outcome}"
    return tag(element, _text(lines), message=_line(message), type=comparison.outcome)


def _told(comparison: Comparison) -> list[str]:
    """Both sides' digests where they are not the same, and how they differ."""
    lines = [difference_text(each) for each in comparison.differences]
    if comparison.unordered:
        lines.insert(0, "the same, but for the order")
    if comparison.expected != comparison.actual:
        lines.append(f"recorded: {comparison.expected or 'none'}")
        lines.append(f"now: {comparison.actual or 'none'}")
    return lines


def _text(lines: Sequence[str]) -> str:
    # A name may hold a line's end, and must not pass for a line of ours.
    return "\n".join(map(_line, lines))


def _line(text: str) -> str:
    return text.replace("\n", "\\n")


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"

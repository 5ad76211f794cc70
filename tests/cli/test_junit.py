"""The JUnit report of a verdict: well formed whatever a name holds, and counted right."""

from xml.etree import ElementTree

import pytest
from hypothesis import given

from tallystick.cli.junit import REPEATED, is_junit_of_ours, junit
from tallystick.digest import Digest
from tallystick.records.verdict import Axis, Comparison, Difference, Outcome, StageVerdict, Verdict
from tests.cli.test_page import HOSTILE
from tests.records.strategies import relaxed, verdicts

HERE, THERE = Digest.of(b"here"), Digest.of(b"there")
NOISY = Difference("accuracy", 0.5, 0.75, 0.25, 0.5, "0.001")


def verdict_of(*stages: StageVerdict, target: str = "HEAD") -> Verdict:
    """A verdict on some stages."""
    return Verdict(
        outcome="different",
        target=target,
        commit="a" * 40,
        stages=stages,
        started="2026-01-31T12:00:00Z",
        python="3.11.7",
        platform="linux",
        environment=HERE,
        tool="tally 0.1",
        author="Ada <ada@example.org>",
        enforced=("no network",),
        unlike=("cores: 8 -> 2",),
    )


def judged(name: str, outcome: Outcome, reason: str | None = None) -> StageVerdict:
    """A stage with one out of that outcome; none if it could not be rebuilt."""
    actual = HERE if outcome == "identical" else None if outcome == "missing" else THERE
    differences = (NOISY,) if outcome in ("different", "within tolerance") else ()
    out = Comparison(f"{name}.json", outcome, HERE, actual, differences)
    built = outcome != "could not be rebuilt"
    return StageVerdict(name, HERE, outcome, (out,) if built else (), 1.5, reason)


def suite_of(verdict: Verdict) -> ElementTree.Element:
    """Read a report, and see that its only suite is counted right."""
    text = junit(verdict, HERE)
    assert is_junit_of_ours(text.encode()[:1000])
    (suite,) = ElementTree.fromstring(text.encode())
    counted = {name: int(suite.get(name, "-1")) for name in ("tests", "failures", "errors")}
    failures, errors = len(suite.findall("testcase/failure")), len(suite.findall("testcase/error"))
    assert counted == {"tests": len(suite.findall("testcase")), "failures": failures, "errors": errors}
    return suite


@pytest.mark.parametrize(
    ("outcome", "failures", "errors"),
    [
        ("identical", 0, 0),
        ("within tolerance", 0, 0),
        ("different", 1, 0),
        ("missing", 1, 0),
        ("could not be rebuilt", 0, 1),
    ],
)
def test_what_is_not_the_same_fails_and_what_could_not_be_rebuilt_is_an_error(
    outcome: Outcome, failures: int, errors: int
) -> None:
    suite = suite_of(verdict_of(judged("train", outcome)))
    assert (suite.get("failures"), suite.get("errors")) == (str(failures), str(errors))


def test_each_stage_and_each_of_its_outs_is_a_case() -> None:
    suite = suite_of(verdict_of(judged("prepare", "identical"), judged("train", "different")))
    assert [(case.get("classname"), case.get("name")) for case in suite.findall("testcase")] == [
        ("prepare", REPEATED),
        ("prepare", "prepare.json"),
        ("train", REPEATED),
        ("train", "train.json"),
    ]
    assert (suite.get("name"), suite.get("time")) == ("HEAD", "3.000")


def test_a_failure_says_what_differs_and_both_digests() -> None:
    failure = suite_of(verdict_of(judged("train", "different"))).find("testcase/failure")
    assert failure is not None
    assert (failure.get("message"), failure.get("type")) == ("train.json: different", "different")
    assert failure.text is not None
    assert failure.text.splitlines() == [
        "accuracy: 0.5 -> 0.75 (off by 0.25, 50%; allowed 0.001)",
        f"recorded: {HERE}",
        f"now: {THERE}",
    ]


def test_an_error_says_why() -> None:
    error = suite_of(verdict_of(judged("train", "could not be rebuilt", "1 blob is missing"))).find(
        "testcase/error"
    )
    assert error is not None
    assert (error.get("message"), error.text) == ("1 blob is missing", "1 blob is missing")


def test_the_suite_says_what_was_enforced_and_what_was_unlike() -> None:
    properties = suite_of(verdict_of(judged("train", "identical"))).findall("properties/property")
    told = [(each.get("name"), each.get("value")) for each in properties]
    assert ("enforced", "no network") in told
    assert ("not as recorded", "cores: 8 -> 2") in told


def test_names_of_strangers_stay_text() -> None:
    name = HOSTILE + "]]>\ufffe\uffff\r<failure/>"
    out = Comparison(name, "different", HERE, None, (Difference(name, name, name, where=name, file=name),))
    stage = StageVerdict(name, HERE, "different", (out,), 0.0, name, (Axis("code", "different", name),))
    suite = suite_of(verdict_of(stage, target=name))
    assert [case.tag for case in suite] == ["properties", "testcase", "testcase"]
    assert "</title><script>" in (suite.get("name") or "")
    assert not set("\x1b\x00\u202e\ufffe") & set(ElementTree.tostring(suite, "unicode"))


@relaxed
@given(verdicts)
def test_every_verdict_makes_a_well_formed_report(verdict: Verdict) -> None:
    suite_of(verdict)

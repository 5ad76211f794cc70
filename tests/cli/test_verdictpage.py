"""The page of a verdict: whole, escaped, and with all that the verdict says."""

from hypothesis import given

from tallystick.cli.page import is_ours
from tallystick.cli.verdictpage import verdict_page
from tallystick.records.provenance import Hardware, Host
from tallystick.records.verdict import Axis, Comparison, Difference, StageVerdict, Verdict, parse, render
from tests.cli.test_junit import HERE, THERE, judged, verdict_of
from tests.cli.test_page import HOSTILE, Outline, whole
from tests.records.strategies import relaxed, verdicts


def words_of(verdict: Verdict, *notes: str) -> str:
    return " ".join(page_of(verdict, *notes).words)


def page_of(verdict: Verdict, *notes: str) -> Outline:
    text = verdict_page(verdict, HERE, notes)
    assert is_ours(text.encode()[:1000])
    return whole(text)


def test_the_page_says_who_judged_where_and_what_was_enforced() -> None:
    words = words_of(verdict_of(judged("train", "identical")), "the seed is not set")
    told = ("HEAD", "a" * 40, "Ada <ada@example.org>", "2026-01-31T12:00:00Z", "3.11.7 on linux", str(HERE))
    for fact in (*told, "no network", "cores: 8 -> 2", "the seed is not set"):
        assert fact in words


def test_both_sides_of_an_out_stand_beside_each_other() -> None:
    outline = page_of(verdict_of(judged("train", "different")))
    for fact in (str(HERE), str(THERE), "accuracy", "0.5", "0.75", "0.25", "50%", "0.001"):
        assert fact in outline.words
    assert outline.tags.count("svg") == 1


def test_the_axes_of_an_explanation_and_the_spread_are_shown() -> None:
    stage = StageVerdict("train", HERE, "identical", (), 1.0, None, (Axis("seed", "different", "7 -> 8"),))
    plain = verdict_of(stage)
    many = Verdict(
        outcome=plain.outcome,
        target=plain.target,
        commit=None,
        stages=plain.stages,
        started=plain.started,
        python=plain.python,
        platform=plain.platform,
        environment=None,
        tool=plain.tool,
        host=Host("Debian 12", "6.1", "glibc 2.36", container=True),
        hardware=Hardware("a processor", 2, 8 << 30, ("a card",), ("driver 1",)),
        repetitions=5,
        spread={"m.json": {"loss": 1.25e-7}},
    )
    words = words_of(many)
    for fact in ("seed", "7 -> 8", "Spread of 5 repetitions", "1.25e-07", "Debian 12", "a card, driver 1"):
        assert fact in words
    assert "no number differed" in words_of(Verdict(**_fields(many, spread={}, outcome="identical")))
    assert "no number is known of what differed" in words_of(Verdict(**_fields(many, spread={})))


def _fields(verdict: Verdict, **changed: object) -> dict[str, object]:
    return {name: getattr(verdict, name) for name in Verdict.__slots__} | changed


def test_a_verdict_that_was_written_down_makes_the_same_page() -> None:
    spread = {"z": {"b": 1.0, "a": 2.0}, "a": {"c": 3.0}}
    fresh = Verdict(**_fields(verdict_of(judged("train", "different")), repetitions=2, spread=spread))
    assert verdict_page(parse(render(fresh)), HERE) == verdict_page(fresh, HERE)


def test_names_of_strangers_stay_text() -> None:
    out = Comparison(HOSTILE, "different", HERE, None, (Difference(HOSTILE, HOSTILE, HOSTILE, 1, 0.5),))
    axes = (Axis("code", "different", HOSTILE),)
    stage = StageVerdict(HOSTILE, HERE, "different", (out,), 0.0, HOSTILE, axes)
    verdict = verdict_of(stage, target=HOSTILE)
    text = verdict_page(verdict, HERE, [HOSTILE])
    whole(text)
    text.encode("utf-8")
    assert not set("\x1b\x00\u202e") & set(text)


@relaxed
@given(verdicts)
def test_every_verdict_makes_a_whole_page(verdict: Verdict) -> None:
    page_of(verdict)

"""`tally repro --against`: metrics beside those of a baseline, and conditions that fail."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.test_page import whole
from tests.flows.conftest import Stages


@pytest.fixture
def worse(bare: Stages, shelf: Path) -> Stages:
    """A commit whose accuracy is lower by 0.2 than that of `base`."""

    def make() -> None:
        bare.repo.write("score.sh", 'echo "{\\"accuracy\\": 0.$(cat rate), \\"rows\\": 9}" > metrics.json\n')
        bare.repo.write("data", "1\n")
        bare.tally("add", "data")
        bare.pipeline(
            "stages: {score: {cmd: sh score.sh, deps: [score.sh, rate, data], metrics: [metrics.json]}}"
        )
        for rate in ("5", "3"):
            bare.repo.write("rate", rate)
            bare.tally("run")
            bare.repo.commit(f"Rate {rate}")
        bare.repo.git("tag", "base", "HEAD~1")

    bare.made_once(shelf / "worse", make)
    return bare


def test_a_repeated_run_is_held_against_another_commit(worse: Stages) -> None:
    ran = worse.tally("repro", "--against", "base", "--fail-if", "accuracy < baseline - 0.01", code=1)
    assert "identical" in ran.out
    assert "fails: accuracy < baseline - 0.01 (accuracy = 0.3" in ran.out
    worse.tally("repro", "--against", "base", "--fail-if", "accuracy < baseline - 0.3")
    told = worse.tally("repro", "--json", "--against", "base").json()["against"]
    accuracy = next(each for each in told["metrics"] if each["name"] == "accuracy")
    assert accuracy["change"] == pytest.approx(-0.2)
    assert (told["repeated"], told["conditions"]) == (True, [])


def test_what_is_compared_is_what_came_out_now(bare: Stages) -> None:
    bare.repo.write("x.sh", "if [ -e again ]; then echo '{\"a\": 2}'; else echo '{\"a\": 1}'; fi > m.json\n")
    bare.tally("run", "-n", "x", "-d", "x.sh", "-m", "m.json", "--", "sh x.sh")
    bare.repo.write("again", "")
    bare.repo.commit()
    told = bare.tally("repro", "--json", "--against", "HEAD", "--fail-if", "a > baseline", code=1).json()
    assert told["against"]["conditions"][0]["numbers"] == {"m.json:a": 2, "baseline.m.json:a": 1}


def test_receipts_alone_are_compared_without_running_anything(worse: Stages) -> None:
    args = ("repro", "--recorded", "--against", "base", "--fail-if", "accuracy < baseline")
    assert "fails" in worse.tally(*args, "--html", "c.html", "--junit", "c.xml", code=1).out
    assert not worse.tally("log", "--verdicts", "--json").json()
    (suite,) = ElementTree.fromstring(worse.repo.read("c.xml"))
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert "accuracy < baseline" in whole(worse.repo.read("c.html").decode()).words
    worse.tally("repro", "base", "--recorded", "--against", "HEAD", "--fail-if", "accuracy < baseline")
    worse.tally("repro", "--recorded", "--fail-if", "accuracy < 0.9", code=1)


def test_a_condition_is_a_case_and_a_section_beside_the_verdict(worse: Stages) -> None:
    args = ("--against", "base", "--fail-if", "accuracy < baseline", "--fail-if", "rows < 1")
    worse.tally("repro", *args, "--html", "v.html", "--junit", "v.xml", code=1)
    (suite,) = ElementTree.fromstring(worse.repo.read("v.xml"))
    names = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert names == ["accuracy < baseline"]
    assert "Beside base" in whole(worse.repo.read("v.html").decode()).words


def test_a_metric_that_a_side_lacks_is_said_before_anything_runs(worse: Stages) -> None:
    ran = worse.tally("repro", "--against", "base", "--fail-if", "acuracy < 1", code=3)
    assert "the run has no metric `acuracy`" in ran.err
    assert "did you mean `accuracy`?" in ran.err
    assert ran.err.splitlines()[2] == "  ^"
    worse.repo.write("score.sh", worse.repo.read("score.sh").decode().replace("rows", "count"))
    worse.tally("run")
    worse.repo.commit()
    assert (
        "`base` has no metric `count`"
        in worse.tally("repro", "--against", "base", "--fail-if", "count < baseline", code=3).err
    )
    assert not worse.tally("log", "--verdicts", "--json").json()


def test_what_can_not_be_compared_is_said(worse: Stages) -> None:
    for args, code, said in (
        (("--fail-if", "accuracy <"), 2, "is missing"),
        (("--fail-if", "accuracy < baseline"), 2, "--against main"),
        (("--recorded",), 2, "something to compare with"),
        (("--recorded", "--against", "HEAD", "--keep"), 2, "`--keep` means nothing"),
        (("--against", "nosuch"), 3, "no commit `nosuch`"),
        (("--against", "HEAD~2"), 3, "holds no receipt"),
    ):
        assert said in worse.tally("repro", *args, code=code).err


def test_what_can_not_be_rebuilt_keeps_its_own_exit_code(worse: Stages, tmp_path: Path) -> None:
    clone = worse.repo.clone(tmp_path / "clone")
    args = ("--trust", "--against", "HEAD~1", "--fail-if", "accuracy < baseline")
    worse.tally("repro", *args, cwd=clone.path, code=13)

"""`tally repro --html` and `--junit`: files beside the answer, which stays what it is."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.test_page import whole
from tests.flows.conftest import Stages

NOISY = "import json, random; json.dump({'accuracy': random.random()}, open('m.json', 'w'))"


@pytest.fixture
def noisy(bare: Stages) -> Stages:
    bare.repo.write("noisy.py", NOISY)
    bare.tally("run", "-n", "noisy", "-d", "noisy.py", "-m", "m.json", "--", "python", "noisy.py")
    bare.repo.commit()
    return bare


def test_a_reproduction_is_a_page_and_a_report_and_the_answer_as_ever(done: Stages, tmp_path: Path) -> None:
    page, report = tmp_path / "new/verdict.html", tmp_path / "verdict.xml"
    ran = done.tally("repro", "--json", "--html", str(page), "--junit", str(report))
    assert ran.json()["verdict"]["outcome"] == "identical"
    assert f"Wrote {page}" in ran.err
    assert "model.bin" in whole(page.read_text("utf-8")).words
    (suite,) = ElementTree.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "0", "0")


def test_a_difference_is_a_failure_and_still_exit_code_1_and_the_report_is_replaced(noisy: Stages) -> None:
    for _ in range(2):
        ran = noisy.tally("repro", "--html", "verdict.html", "--junit", "verdict.xml", code=1)
    (suite,) = ElementTree.fromstring(noisy.repo.read("verdict.xml"))
    failure = suite.find("testcase[@name='m.json']/failure")
    assert failure is not None
    assert (failure.text or "").startswith("accuracy: ")
    (identity,) = (each.get("value") for each in suite.iter("property") if each.get("name") == "verdict")
    assert identity is not None
    assert f"verdict {identity[:12]}" in ran.out
    assert identity in whole(noisy.repo.read("verdict.html").decode()).words


CURVES = """\
import os
noise = int.from_bytes(os.urandom(6), 'big')
with open("loss.csv", "w") as file:
    file.write("epoch,noise\\n" + "".join(f"{step},{step * noise}\\n" for step in range(9)))
"""


def test_curves_of_both_sides_are_drawn_over_each_other_at_once_and_later(
    bare: Stages, tmp_path: Path
) -> None:
    bare.repo.write("curves.py", CURVES)
    bare.pipeline("stages: {curves: {cmd: python curves.py, deps: [curves.py], plots: [loss.csv]}}")
    bare.tally("run")
    bare.repo.commit()
    ran = bare.tally("repro", "--json", "--no-rebuild", "--html", str(tmp_path / "now.html"), code=1)
    identity = ran.json()["id"].removeprefix("blake3:")[:12]
    bare.tally("show", identity, "--html", str(tmp_path / "later.html"))
    for page in (tmp_path / "now.html", tmp_path / "later.html"):
        outline = whole(page.read_text("utf-8"))
        assert outline.tags.count("polyline") == 2
        assert {"recorded", "now"} <= {word.partition(":")[0] for word in outline.words}
        assert any("not rebuilt" in word for word in outline.words)


def test_what_can_not_be_rebuilt_is_an_error_and_still_exit_code_18(bare: Stages) -> None:
    bare.tally("run", "-n", "once", "-o", "out", "--", "sh", "-c", "test ! -e again && touch out")
    bare.repo.write("again", "")
    bare.repo.commit()
    bare.tally("repro", "--html", "verdict.html", "--junit", "verdict.xml", code=18)
    (suite,) = ElementTree.fromstring(bare.repo.read("verdict.xml"))
    assert suite.get("errors") == "1"
    assert "could not be rebuilt" in whole(bare.repo.read("verdict.html").decode()).words


@pytest.mark.parametrize(("option", "what"), [("--html", "page"), ("--junit", "report")])
def test_another_file_is_never_overwritten_and_nothing_runs(done: Stages, option: str, what: str) -> None:
    done.repo.write("mine", "<html>")
    assert f"no {what} of tally's" in done.tally("repro", option, "mine", code=3).err
    assert done.repo.read("mine") == b"<html>"
    assert "no file" in done.tally("repro", option, "data", code=3).err
    assert not done.tally("log", "--verdicts", "--json").json()


def test_one_file_can_not_be_both(done: Stages) -> None:
    assert "the same file" in done.tally("repro", "--html", "a", "--junit", "./a", code=2).err


def test_a_verdict_of_before_is_written_in_the_same_way_and_nothing_else_is(done: Stages) -> None:
    identity = done.tally("repro", "--json", "--html", "first.html").json()["id"]
    short = identity.removeprefix("blake3:")[:12]
    done.tally("show", short, "--html", "again.html", "--junit", "again.xml")
    assert done.repo.read("again.html") == done.repo.read("first.html")
    assert "is no verdict" in done.tally("show", "train", "--html", "none.html", code=3).err
    assert not (done.repo.path / "none.html").exists()

"""`tally plots`: series and the plots of stages, of several runs over each other."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_page import HOSTILE, whole
from tests.flows.conftest import Stages

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)

TRAIN = """\
import json, os, shutil
rate = json.load(open("params.json"))["rate"]
os.makedirs("plots", exist_ok=True)
with open(os.path.join(os.environ["TALLY_RECORD"], "series.jsonl"), "w") as series:
    with open("plots/loss.csv", "w") as table:
        table.write("step,loss,accuracy\\n")
        for step in range(20):
            loss = rate / (step + 1)
            series.write(json.dumps({"step": step, "loss": loss}) + "\\n")
            table.write(f"{step},{loss!r},{1 - loss!r}\\n")
open("plots/confusion.csv", "w").write("is,as cat,as dog\\ncat,5,1\\ndog,2,7\\n")
shutil.copy("pixel.png", "plots/pixel.png")
if rate > 5:
    raise SystemExit("diverged")
"""

PIPELINE = """\
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [{params.json: [rate, name]}]
    plots: [plots]
"""


@pytest.fixture
def drawn(bare: Stages) -> Stages:
    """Two runs of a stage that logs and makes plots."""
    for name, content in (
        ("train.py", TRAIN),
        ("pixel.png", PIXEL),
        ("params.json", '{"rate": 1, "name": "a"}'),
    ):
        bare.repo.write(name, content)
    bare.pipeline(PIPELINE)
    bare.tally("run")
    bare.repo.commit("First")
    bare.tally("run", "-S", "params.json:rate=2")
    return bare


def found(stages: Stages, *words: str) -> Any:
    return stages.tally("plots", "--json", *words).json()


def test_what_was_logged_and_what_is_declared_is_drawn_once(drawn: Stages) -> None:
    result = found(drawn)
    charts = {(each["source"], each["title"], each["logged"]) for each in result["charts"]}
    assert charts == {("train", "loss", True), ("plots/loss.csv", "accuracy", False)}
    assert result["charts"][0]["curves"][0]["points"][:2] == [[0, 2], [1, 1]]
    assert [each["source"] for each in result["matrices"]] == ["plots/confusion.csv"]
    assert [each["picture"]["media"] for each in result["images"]] == ["image/png"]


def test_several_runs_lie_over_each_other_with_what_they_differ_in(drawn: Stages) -> None:
    runs = [run["run"].removeprefix("blake3:")[:10] for run in drawn.runs()]
    for words in (("--last", "2"), ("train", "-n", "5"), tuple(runs)):
        result = found(drawn, *words)
        assert [len(each["curves"]) for each in result["charts"]] == [2, 2]
        assert sorted(run["params"]["params.json:rate"] for run in result["runs"]) == [1, 2]
    out = drawn.tally("plots", "--last", "2").out
    assert "params.json:rate=2" in out
    assert "name=" not in out


def test_on_a_terminal_curves_are_text_of_80_columns(drawn: Stages) -> None:
    lines = drawn.tally("plots", "train").out.splitlines()
    assert "loss  logged by train" in lines
    assert "plots/confusion.csv  run" in "\n".join(lines)
    assert "`--html` shows it" in lines[-1]
    assert max(map(len, lines)) <= 80


def test_a_path_chooses_one_plot(drawn: Stages) -> None:
    result = found(drawn, "plots/loss.csv")
    assert {each["source"] for each in result["charts"]} == {"plots/loss.csv"}
    assert not result["images"]


def test_the_page_is_whole_and_refers_to_nothing_outside(drawn: Stages, tmp_path: Path) -> None:
    ran = drawn.tally("plots", "--last", "2", "--html", str(tmp_path / "page.html"))
    assert "Wrote" in ran.out
    outline = whole((tmp_path / "page.html").read_text("utf-8"))
    assert outline.tags.count("svg") == 2
    assert outline.tags.count("polyline") == 4
    assert outline.links == [f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"] * 2
    drawn.tally("plots", "--html", str(tmp_path / "page.html"))


def test_another_file_is_never_overwritten(drawn: Stages) -> None:
    drawn.repo.write("mine.html", "<html>")
    assert "no page of tally's" in drawn.tally("plots", "--html", "mine.html", code=3).err
    assert drawn.repo.read("mine.html") == b"<html>"


def test_hostile_names_and_values_stay_text(drawn: Stages) -> None:
    name = HOSTILE.replace("\ud800", "").replace("\x00", "")
    drawn.repo.write("plots.json", "")
    script = (
        f"import json, os\nos.makedirs('evil', exist_ok=True)\nname = {name!r}\n"
        "json.dump([{'step': n, name: n} for n in range(3)], open('evil/a.json', 'w'))\n"
        "open('evil/<b>.csv', 'w').write(name.replace(chr(34), '') + ',x\\n1,2\\n2,3\\n4,5\\n')\n"
        "open('evil/x.svg', 'w').write('<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>')\n"
    )
    drawn.repo.write("train.py", script)
    drawn.pipeline(PIPELINE.replace("plots: [plots]", "plots: [evil]"))
    drawn.repo.write("params.json", '{"rate": "<script>", "name": "<i>"}')
    drawn.tally("run")
    runs = [run["run"].removeprefix("blake3:")[:10] for run in drawn.runs()]
    drawn.tally("plots", *runs, "--html", "page.html")
    text = drawn.repo.read("page.html").decode()
    outline = whole(text)
    assert "&lt;script&gt;" in text
    assert "i" not in outline.tags
    assert "\x1b" not in drawn.tally("plots").out


def test_columns_are_those_that_the_pipeline_names(drawn: Stages) -> None:
    options = "plots:\n  - plots/loss.csv: {x: accuracy, y: loss, title: Trade-off, x_label: how good}\n"
    drawn.pipeline(PIPELINE + options)
    chart = next(each for each in found(drawn)["charts"] if not each["logged"])
    assert (chart["title"], chart["x"], chart["y"]) == ("Trade-off", "how good", "loss")


def test_a_failed_run_shows_what_it_logged(drawn: Stages) -> None:
    drawn.tally("run", "-S", "params.json:rate=9", code=18)
    result = found(drawn, "--last", "1")
    assert [run["status"] for run in result["runs"]] == ["failed"]
    assert [each["title"] for each in result["charts"]] == ["loss"]


def test_what_can_not_be_drawn_is_a_note(drawn: Stages) -> None:
    drawn.repo.write(
        "train.py", TRAIN + 'open("plots/model.bin", "w").write("x")\nopen("plots/a.json", "w")\n'
    )
    drawn.tally("run")
    notes = " ".join(found(drawn)["notes"])
    assert "`plots/model.bin` can't be drawn" in notes
    assert "plots/a.json: not valid JSON" in notes


def test_a_project_with_nothing_to_draw_says_so(done: Stages) -> None:
    assert "Nothing to draw" in done.tally("plots", code=1).out
    assert not done.tally("plots", "--html", "page.html", code=1).out.startswith("Wrote")
    assert "there is no stage `nope`" in done.tally("plots", "nope", code=3).err


def test_plots_and_metrics_in_a_folder_of_outs_are_found_as_dvc_users_name_them(bare: Stages) -> None:
    bare.repo.write("train.py", TRAIN + "open('plots/m.json', 'w').write('{\"loss\": 0.5}')\n")
    for name, content in (("pixel.png", PIXEL), ("params.json", '{"rate": 1, "name": "a"}')):
        bare.repo.write(name, content)
    beside = """\
metrics: [plots/m.json]
plots:
- Accuracy:
    x: step
    y: {plots/loss.csv: accuracy}
- plots/pixel.png
"""
    bare.pipeline(PIPELINE.replace("    plots: [plots]", "    outs: [plots]") + beside)
    bare.tally("run")
    assert bare.receipt("train")["metrics"] == {"plots/m.json": {"loss": 0.5}}
    told = found(bare)
    drawn = [(chart["title"], chart["y"]) for chart in told["charts"] if not chart["logged"]]
    assert drawn == [("Accuracy", "accuracy")]
    assert [image["picture"]["path"] for image in told["images"]] == ["plots/pixel.png"]
    assert told["matrices"] == []

"""`tally sweep`: a grid of isolated runs, several at once, each with its receipt."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.flows.conftest import Stages

TRAIN = """\
depth=$(sed -n 's/^depth: //p' params.yaml)
lr=$(sed -n 's/^lr: \\([0-9.]*\\).*/\\1/p' params.yaml)
echo "depth $depth"
echo "$depth" >> "$COUNT"
test "$depth" != 4 || exit 3
cat params.yaml data.txt > out.txt
echo "{\\"score\\": $depth.5, \\"lr\\": $lr}" > metrics.json
"""

STAGES = """\
stages:
  train:
    cmd: sh train.sh
    deps: [train.sh, data.txt]
    params: [lr, depth]
    outs: [out.txt]
    metrics: [metrics.json]
"""


class Swept(Stages):
    """A project whose stage notes its depth, and fails at depth 4."""

    def sweep(self, *args: str, code: int = 0) -> Any:
        """Sweep with `--json`."""
        return self.tally("sweep", "--json", *args, code=code).json()

    def depths(self) -> list[str]:
        """Return the depths that the command ran with."""
        place = self.repo.path.parent / "count.txt"
        return sorted(place.read_text().split()) if place.exists() else []


@pytest.fixture
def swept(bare: Stages, monkeypatch: pytest.MonkeyPatch) -> Swept:
    """Return a project with one stage and two parameters, committed."""
    stages = Swept(bare.repo, bare.tally)
    monkeypatch.setenv("COUNT", str(stages.repo.path.parent / "count.txt"))
    stages.pipeline(STAGES)
    stages.repo.write("train.sh", TRAIN)
    stages.repo.write("params.yaml", "lr: 0.5  # learning rate\ndepth: 1\n")
    stages.repo.write("data.txt", "data\n")
    stages.repo.commit("Describe a stage")
    return stages


def _leftovers(stages: Stages) -> list[str]:
    home = stages.repo.path / ".git/tally"
    kept = [path.name for path in (home / "worktrees").iterdir() if path.name != "lock"]
    return kept + [path.name for path in (stages.repo.path / ".git").glob("worktrees/*")]


def test_a_grid_runs_beside_the_worktree_and_failures_stop_nothing(swept: Swept) -> None:
    swept.sweep("-S", "depth=2")
    told = swept.sweep("-S", "depth=2..5", "-j", "2", code=18)
    states = {point["point"]: point["status"] for point in told["points"]}
    assert list(states) == ["depth=2", "depth=3", "depth=4", "depth=5"]
    assert list(states.values()) == ["reused", "succeeded", "failed", "succeeded"]
    assert swept.depths() == ["2", "3", "4", "5"]
    assert swept.repo.git("status", "--porcelain") == ""
    assert not (swept.repo.path / "out.txt").exists()
    assert _leftovers(swept) == []
    runs = {run["params"]["depth"]: run for run in swept.runs()}
    assert {depth: run["status"] for depth, run in runs.items()} == {
        2: "succeeded",
        3: "succeeded",
        4: "failed",
        5: "succeeded",
    }
    assert {point["params"]["depth"]: point["run"] for point in told["points"]} == {
        str(depth): run["run"] for depth, run in runs.items()
    }
    assert told["points"][1]["metrics"] == {"score": 3.5, "lr": 0.5}
    assert told["exit_code"] == 18


def test_the_table_names_what_varies_what_came_out_and_what_failed(swept: Swept) -> None:
    shown = swept.tally("sweep", "-S", "depth=3..5", "-S", "lr=0.1", "--sort", "-score", code=18).out
    lines = [line.split() for line in shown.splitlines() if not line.startswith("depth ")]
    table = [line for line in lines if line and line[0] in ("3", "4", "5")][:-1]
    assert [line[:2] for line in table] == [["5", "succeeded"], ["3", "succeeded"], ["4", "failed"]]
    assert sorted(table[0][-2:]) == ["0.1", "5.5"]
    assert any(line.startswith("depth=4: failed: ") and "code 3" in line for line in shown.splitlines())
    assert shown.endswith("3 points: 2 succeeded, 1 failed\n")


def test_several_at_once_say_which_point_a_line_is_of(swept: Swept) -> None:
    shown = swept.tally("sweep", "-S", "depth=2,3", "-S", "lr=0.1,0.2", "-j", "2")
    assert "depth=3 lr=0.2 | depth 3\n" in shown.out
    assert "depth=2 lr=0.1: running `train`" in shown.err
    assert swept.tally("sweep", "-q", "-S", "depth=6,7").out.count("| depth") == 0


def test_what_was_swept_is_taken_over_by_a_run_with_its_values(swept: Swept) -> None:
    swept.sweep("-S", "depth=2..3")
    assert swept.states("-S", "depth=3") == {"train": "reused"}
    assert swept.repo.read("out.txt").startswith(b"lr: 0.5  # learning rate\ndepth: 3\n")
    swept.repo.commit("Take the best")
    told = swept.sweep("-S", "depth=3..4", code=18)
    assert [point["status"] for point in told["points"]] == ["reused", "failed"]
    assert told["points"][0]["run"] == swept.runs()[1]["run"]
    assert told["points"][0]["metrics"]["score"] == 3.5


def test_without_reuse_everything_runs_again(swept: Swept) -> None:
    swept.sweep("-S", "depth=2..3")
    told = swept.sweep("-S", "depth=2..3", "--no-reuse")
    assert [point["status"] for point in told["points"]] == ["succeeded", "succeeded"]
    assert swept.depths() == ["2", "2", "3", "3"]


def test_a_dry_run_lists_the_points_and_runs_nothing(swept: Swept) -> None:
    told = swept.sweep("-S", "depth=2..3", "-S", "lr=0.1,0.2", "--dry-run")
    assert [point["params"] for point in told["points"]] == [
        {"depth": depth, "lr": lr} for depth in ("2", "3") for lr in ("0.1", "0.2")
    ]
    assert {point["status"] for point in told["points"]} == {"would run"}
    assert swept.depths() == []


def test_edits_that_are_not_committed_are_what_runs(swept: Swept) -> None:
    swept.repo.write("data.txt", "edited\n")
    swept.sweep("-S", "depth=2")
    assert swept.states("-S", "depth=2") == {"train": "reused"}
    assert swept.repo.read("out.txt").endswith(b"edited\n")


@pytest.mark.parametrize(
    ("args", "code", "complaint"),
    [
        (("-S", "width=1,2"), 3, "`params.yaml` has no parameter `width`"),
        (("-S", "other.yaml:x=1,2"), 3, "no `other.yaml` in which `x=1` could be set"),
        (("-S", "depth=1..2000"), 2, "a sweep has at most 1,000"),
        (("-S", "depth=1,2", "nothing"), 3, "there is no stage `nothing`"),
        (("-S", "depth=1,2", "--on", "spark://x:1"), 2, "`spark://x:1` is no cluster"),
        (("-S", "depth=1,2", "--on", "dask://"), 2, "`dask://` is no cluster"),
        (("-S", "depth=1,2", "--on", "dask://x:1", "-j", "2"), 2, "`-j` counts runs on this machine"),
        ((), 2, "Missing option"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(
    swept: Swept, args: tuple[str, ...], code: int, complaint: str
) -> None:
    assert complaint in swept.tally("sweep", *args, code=code).err
    assert swept.depths() == []


def test_a_parameter_that_no_stage_reads_is_remarked_upon(swept: Swept) -> None:
    swept.repo.write("params.yaml", "lr: 0.5\ndepth: 1\nunused: 1\n")
    shown = swept.tally("sweep", "-S", "unused=1..2", "-S", "lr=0.1").out
    assert "note: no stage names `unused` among its `params`" in shown
    assert "`lr` among" not in shown


def test_a_sort_by_what_nobody_measured_is_remarked_upon(swept: Swept) -> None:
    assert "to sort by" in swept.tally("sweep", "-S", "depth=2", "--sort", "-nothing").out


def test_templates_are_expanded_point_by_point(swept: Swept) -> None:
    swept.pipeline("stages:\n  echo: {cmd: 'echo ${word} > word.txt', outs: [word.txt]}\n")
    swept.repo.write("params.yaml", "word: a\n")
    told = swept.sweep("-S", "word=one,two")
    assert [stage["command"] for point in told["points"] for stage in point["stages"]] == [
        "echo one > word.txt",
        "echo two > word.txt",
    ]


def test_nothing_runs_that_nobody_has_allowed(swept: Swept) -> None:
    swept.repo.write(".git/tally/grant", "another mark")
    refused = swept.tally("sweep", "-S", "depth=2,3", code=19)
    assert "have not been allowed to run" in refused.err
    assert swept.depths() == []
    swept.sweep("-S", "depth=2,3", "--trust")
    assert swept.depths() == ["2", "3"]


def test_ctrl_c_ends_all_points_and_takes_their_worktrees_away(swept: Swept) -> None:
    gate = swept.repo.path.parent / "gate"
    swept.repo.write("train.sh", 'touch "$GATE.$$"; sleep 600; touch out.txt metrics.json\n')
    running = subprocess.Popen(
        [sys.executable, "-m", "tallystick", "sweep", "-S", "depth=1..4", "-j", "2"],
        cwd=swept.repo.path,
        env={**os.environ, "GATE": str(gate)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while len(list(gate.parent.glob("gate.*"))) < 2:
        assert time.monotonic() < deadline, "the points never started"
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"interrupted" in err
    assert len(list(gate.parent.glob("gate.*"))) == 2
    assert [run["status"] for run in swept.runs()] == ["interrupted", "interrupted"]
    assert _leftovers(swept) == []


def test_stages_that_need_each_other_run_in_each_point(swept: Swept) -> None:
    swept.pipeline(
        STAGES + "  after: {cmd: 'cat out.txt out.txt > twice.txt', deps: [out.txt], outs: [twice.txt]}\n"
    )
    told = swept.sweep("-S", "depth=3..4", code=18)
    found = [[(stage["stage"], stage["status"]) for stage in point["stages"]] for point in told["points"]]
    assert found == [
        [("train", "succeeded"), ("after", "succeeded")],
        [("train", "failed"), ("after", "skipped")],
    ]
    assert told["points"][0]["run"] == told["points"][0]["stages"][1]["run"]
    assert told["points"][1]["run"] == told["points"][1]["stages"][0]["run"]

"""Compare two states side by side."""

from pathlib import Path

import pytest

from tallystick.errors import Refused
from tallystick.flows.diff import Diff, diff
from tests.project.house import opened
from tests.sandbox import Repo, Tally

PIPELINE = """\
stages:
  train:
    cmd: python3 train.py
    deps: [data, train.py]
    params: [train]
    metrics: [metrics.json]
"""
TRAIN = """\
import json, re
rate = float(re.search("lr: (.*)", open("params.yaml").read())[1])
json.dump({"accuracy": rate}, open("metrics.json", "w"))
"""


@pytest.fixture
def data(project: Repo, tally: Tally) -> Repo:
    project.write("data/1", "one")
    project.write("data/2", "two")
    project.write("labels", "a")
    tally("add", "data", "labels")
    project.commit()
    return project


def between(repo: Repo, old: str | None = None, new: str | None = None, *targets: str) -> Diff:
    return diff(opened(repo), old, new, targets)


def test_nothing_differs_in_an_untouched_worktree(data: Repo) -> None:
    assert between(data).same


def test_data_of_the_worktree_is_compared_as_it_is_now(data: Repo) -> None:
    (data.path / "data/1").unlink()
    data.write("data/3", "three")
    (path,) = between(data).data
    assert (path.path, path.state, path.old_size, path.new_size) == ("data", "changed", 6, 8)
    assert path.changes is not None
    assert (path.changes.added, path.changes.removed) == (("3",), ("1",))


def test_two_commits_are_compared_by_what_they_record(data: Repo, tally: Tally) -> None:
    tally("remove", "labels")
    data.write("new", "n")
    tally("add", "new")
    data.write(".gitignore", "*\n")
    data.commit()
    data.write("data/1", "edited, which does not count here")
    found = {path.path: path.state for path in between(data, "HEAD~1", "HEAD").data}
    assert found == {"labels": "removed", "new": "added"}
    back = {path.path: path.state for path in between(data, "HEAD", "HEAD~1").data}
    assert back == {"labels": "added", "new": "removed"}


def test_targets_limit_the_data(data: Repo) -> None:
    data.write("data/1", "x")
    data.write("labels", "x")
    assert [path.path for path in between(data, None, None, "labels").data] == ["labels"]
    assert [path.path for path in between(data, None, None, "data/1").data] == ["data"]


def test_params_metrics_and_environment_stand_side_by_side(data: Repo, tally: Tally) -> None:
    data.write("tally.yaml", PIPELINE)
    data.write("train.py", TRAIN)
    data.write("params.yaml", "train:\n  lr: 0.5\nother: 1\n")
    tally("run")
    data.commit()
    data.write("params.yaml", "train:\n  lr: 0.25\n  new: true\nother: 2\n")
    tally("run")
    lock = data.read("environment.lock").decode()
    data.write("environment.lock", lock.replace('"python": "3.', '"python": "2.'))
    result = between(data)
    assert [(one.key, one.old, one.new, one.difference) for one in result.params] == [
        ("train.lr", 0.5, 0.25, -0.25),
        ("train.new", None, True, None),
    ]
    assert [(one.file, one.key, one.difference) for one in result.metrics] == [
        ("metrics.json", "accuracy", -0.25)
    ]
    (environment,) = result.environment
    assert environment.lock == "environment.lock"
    assert any("python" in change for change in environment.changes)


def test_data_that_is_not_placed_counts_as_recorded(data: Repo, tmp_path: Path) -> None:
    assert between(data.clone(tmp_path / "clone")).same


def test_lists_of_files_are_fetched_to_compare_them(
    data: Repo, remote: Path, tally: Tally, tmp_path: Path
) -> None:
    data.write("data/3", "three")
    tally("add", "data")
    data.commit()
    tally("push")
    clone = data.clone(tmp_path / "clone")
    (path,) = between(clone, "HEAD~1", "HEAD").data
    assert path.changes is not None
    assert path.changes.added == ("3",)


def test_lists_that_nobody_has_are_a_remark(data: Repo, tally: Tally, tmp_path: Path) -> None:
    data.write("data/3", "three")
    tally("add", "data")
    data.commit()
    result = between(data.clone(tmp_path / "clone"), "HEAD~1", "HEAD")
    assert result.data[0].changes is None
    assert "can't be compared" in result.notes[0]


def test_before_the_first_commit_there_is_nothing_to_compare_with(empty_repo: Repo) -> None:
    Tally(empty_repo.path)("init")
    with pytest.raises(Refused) as refused:
        between(empty_repo)
    assert "no commit" in (refused.value.hint or "")


def test_files_of_params_and_metrics_beside_those_of_stages_are_compared(project: Repo, tally: Tally) -> None:
    project.write("sub/tally.yaml", "params: [more.toml]\nmetrics: [scores.json, absent.json]\n")
    project.write("sub/more.toml", "[a]\nb = 1\n")
    project.write("sub/scores.json", '{"accuracy": 0.5, "name": "x"}')
    project.commit("Two files that no stage knows")
    project.write("sub/more.toml", "[a]\nb = 2\n")
    project.write("sub/scores.json", '{"accuracy": 0.75, "name": "y"}')
    found = tally("diff", "--json").json()
    assert [(each["file"], each["key"], each["old"], each["new"]) for each in found["params"]] == [
        ("sub/more.toml", "a.b", 1, 2)
    ]
    assert [(each["file"], each["key"], each["difference"]) for each in found["metrics"]] == [
        ("sub/scores.json", "accuracy", 0.25)
    ]

"""Everything tracked, stored and receipted, or exit code 1."""

import shutil
from pathlib import Path

import pytest

from tallystick.flows.check import Problem, check
from tests.project.house import opened
from tests.sandbox import Repo, Tally

STAGE = """\
stages:
  upper:
    cmd: tr a-z A-Z < labels > out
    deps: [labels]
    outs: [out]
    variables: [MOOD]
"""


@pytest.fixture
def data(project: Repo, remote: Path, tally: Tally) -> Repo:
    project.write("data/1", "one")
    project.write("labels", "a")
    tally("add", "data", "labels")
    project.write("tally.yaml", STAGE)
    tally("run")
    project.commit()
    return project


def problems(repo: Repo, *targets: str, remote: str | None = None) -> tuple[Problem, ...]:
    return check(opened(repo), targets, variables={}, remote=remote).problems


def kinds(repo: Repo, remote: str | None = None) -> list[tuple[str, str]]:
    return [(problem.kind, problem.name) for problem in problems(repo, remote=remote)]


def test_a_project_that_fits_together_is_sound(data: Repo) -> None:
    result = check(opened(data), variables={})
    assert result.sound
    assert (result.paths, result.stages) == (3, 1)


def test_a_malformed_pointer_is_a_problem(data: Repo) -> None:
    data.write("labels.tally", "tally: 99\n")
    assert ("pointer", "labels.tally") in kinds(data)


def test_a_path_that_git_tracks_too_is_a_problem(data: Repo) -> None:
    data.git("add", "--force", "data/1", "labels")
    assert kinds(data) == [("git", "data"), ("git", "labels")]


def test_blobs_that_are_not_here_are_a_problem(data: Repo) -> None:
    shutil.rmtree(data.path / ".git/tally/packs")
    assert {kind for kind, _ in kinds(data)} == {"blobs"}
    assert len(problems(data, "labels")) == 1


def test_with_a_remote_only_the_remote_counts(data: Repo, tally: Tally, tmp_path: Path) -> None:
    assert [kind for kind, _ in kinds(data, remote="origin")] == ["blobs"] * 3
    tally("push")
    assert kinds(data, remote="origin") == []
    clone = data.clone(tmp_path / "clone")
    assert kinds(clone, remote="origin") == []
    assert {kind for kind, _ in kinds(clone)} == {"blobs"}


def test_a_blob_that_the_remote_lost_is_named(data: Repo, remote: Path, tally: Tally) -> None:
    tally("push")
    for pack in (remote / "packs").rglob("*.pack"):
        pack.unlink()
    found = problems(data, "labels", remote="origin")[0]
    assert "blake3:" in found.what
    assert "origin" in found.what
    assert "tally push labels" in (found.hint or "")


def test_a_receipt_that_is_missing_is_a_problem(data: Repo) -> None:
    (data.path / "receipts/upper.json").unlink()
    assert kinds(data) == [("receipt", "upper")]


def test_a_receipt_that_does_not_fit_is_a_problem(data: Repo, tally: Tally) -> None:
    data.write("labels", "b")
    tally("add", "labels")
    (problem,) = problems(data)
    assert (problem.kind, problem.name) == ("receipt", "upper")
    assert "`labels` changed" in problem.what


def test_data_that_was_never_placed_counts_as_recorded(data: Repo, tally: Tally, tmp_path: Path) -> None:
    tally("push")
    clone = data.clone(tmp_path / "clone")
    tally("fetch", cwd=clone.path)
    assert kinds(clone) == []


def test_what_only_this_machine_has_set_is_no_problem(data: Repo) -> None:
    assert check(opened(data), variables={"MOOD": "good"}).sound


def test_a_pipeline_that_can_not_be_read_is_a_problem_beside_the_others(data: Repo) -> None:
    data.write("tally.yaml", "stages: [")
    data.git("add", "--force", "labels")
    assert {kind for kind, _ in kinds(data)} == {"pipeline", "git"}

"""Say what changed in data and stages, and why."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tallystick import process
from tallystick.errors import Refused
from tallystick.flows.status import PIPELINES, PathStatus, Status, status
from tallystick.process import Completed
from tallystick.runs.pipelines import PATTERN
from tallystick.worktree.ignore import MANY
from tests.flows.conftest import Stages
from tests.project.house import opened
from tests.sandbox import Repo, Tally

STAGE = """\
stages:
  upper:
    cmd: tr a-z A-Z < labels > out
    deps: [labels]
    outs: [out]
"""


@pytest.fixture
def data(project: Repo, remote: Path, tally: Tally) -> Repo:
    project.write("data/1", "one")
    project.write("data/2", "two")
    project.write("labels", "a")
    tally("add", "data", "labels")
    project.commit()
    return project


def seen(repo: Repo, *targets: str, remote: str | None = None) -> Status:
    return status(opened(repo), targets, variables=dict(os.environ), remote=remote)


def only(repo: Repo, *targets: str) -> PathStatus:
    """The one path that is not clean."""
    (found,) = (path for path in seen(repo, *targets).paths if not path.clean)
    return found


def test_what_did_not_change_is_clean(data: Repo) -> None:
    result = seen(data)
    assert result.clean
    assert [path.path for path in result.paths] == ["data", "labels"]


def test_a_folder_is_modified_by_files_that_came_went_and_changed(data: Repo) -> None:
    (data.path / "data/1").unlink()
    data.write("data/2", "changed")
    data.write("data/3", "new")
    changes = only(data).changes
    assert changes is not None
    assert (changes.added, changes.removed, changes.changed) == (("3",), ("1",), ("2",))


@pytest.fixture
def many(project: Repo, tally: Tally) -> Repo:
    """A folder with so many tracked files of a kind that one line hides them all."""
    names = [f"set/{number}.bin" for number in range(MANY)]
    for name in names:
        project.write(name, name)
    tally("add", *names)
    project.commit()
    return project


def test_a_file_that_a_line_for_its_kind_hides_is_named_until_it_is_tracked(many: Repo, tally: Tally) -> None:
    assert seen(many).clean
    many.write("set/forgotten.bin", "1")
    assert many.git("status", "--porcelain") == ""
    result = seen(many)
    assert (result.untracked, result.clean) == (("set/forgotten.bin",), False)
    assert seen(many, "set").untracked == ("set/forgotten.bin",)
    assert seen(many, "set/1.bin").untracked == ()
    assert "untracked    set/forgotten.bin: `tally add set/forgotten.bin`" in tally("status").out
    tally("add", "set/forgotten.bin")
    assert seen(many).clean


def test_status_asks_git_once_for_files_and_opens_only_the_pointer_it_was_given(
    many: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = opened(many)
    started: list[Sequence[str]] = []
    opens: list[str] = []
    run, opening = process.run, os.open

    def counted(argv: Sequence[str], **rest: Any) -> Completed:
        started.append(argv)
        return run(argv, **rest)

    def noted(path: Any, *rest: Any, **more: Any) -> int:
        is_pointer = str(path).endswith(".tally") and "/.git/" not in str(path)
        opens.extend([os.path.basename(path)] if is_pointer else [])
        return opening(path, *rest, **more)

    monkeypatch.setattr(process, "run", counted)
    monkeypatch.setattr(os, "open", noted)
    status(project, variables={})
    assert (len(started), len(opens)) == (1, MANY)
    started.clear()
    opens.clear()
    status(project, ["set/1.bin"], variables={})
    assert (len(started), opens) == (1, ["1.bin.tally"])


def test_a_file_that_a_line_for_its_kind_hides_counts_in_a_dep(many: Repo, tally: Tally) -> None:
    many.write("tally.yaml", STAGE.replace("labels", "set").replace("tr a-z A-Z <", "ls"))
    tally("run", "--trust")
    assert not any(stage.reasons for stage in seen(many).stages)
    many.write("set/forgotten.bin", "1")
    assert [str(reason) for reason in seen(many).stages[0].reasons] == ["dep `set` changed"]


def test_an_executable_bit_is_a_change(data: Repo) -> None:
    (data.path / "labels").chmod(0o755)
    assert only(data).state == "modified"
    (data.path / "labels").chmod(0o644)
    (data.path / "data/1").chmod(0o755)
    changes = only(data).changes
    assert changes is not None
    assert changes.changed == ("1",)


def test_a_touched_file_is_not_a_change(data: Repo) -> None:
    os.utime(data.path / "labels")
    assert seen(data).clean


def test_deleted_data_is_missing_but_stored(data: Repo) -> None:
    (data.path / "labels").unlink()
    found = only(data)
    assert (found.state, found.stored) == ("missing", True)


def test_blobs_that_the_store_lacks_are_not_stored(data: Repo) -> None:
    shutil.rmtree(data.path / ".git/tally/packs")
    assert [(path.state, path.stored) for path in seen(data).paths] == [("unchanged", False)] * 2


def test_a_fresh_clone_has_neither(data: Repo, tmp_path: Path) -> None:
    clone = data.clone(tmp_path / "clone")
    assert [(path.state, path.stored) for path in seen(clone).paths] == [("missing", False)] * 2


def test_the_remote_is_asked_only_by_name(data: Repo, tally: Tally) -> None:
    assert {path.pushed for path in seen(data).paths} == {None}
    assert {path.pushed for path in seen(data, remote="origin").paths} == {False}
    tally("push", "labels")
    pushed = {path.path: path.pushed for path in seen(data, remote="origin").paths}
    assert pushed == {"data": False, "labels": True}


def test_a_malformed_pointer_is_told_with_a_hint_and_hides_no_other(data: Repo) -> None:
    data.write("labels.tally", "")
    found = only(data)
    assert found.state == "malformed"
    assert "empty" in (found.reason or "")
    assert "git checkout" in (found.hint or "")


def test_what_can_no_longer_be_tracked_is_told(data: Repo) -> None:
    (data.path / "labels").unlink()
    os.symlink("README.md", data.path / "labels")
    found = only(data)
    assert found.state == "untrackable"
    assert "symbolic link" in (found.reason or "")


def test_targets_limit_what_is_looked_at(data: Repo) -> None:
    data.write("labels", "b")
    assert seen(data, "data").clean
    assert not seen(data, "labels").clean
    with pytest.raises(Refused):
        seen(data, "nothing")


def test_stages_are_stale_with_reasons(data: Repo, tally: Tally) -> None:
    data.write("tally.yaml", STAGE)
    (stage,) = seen(data).stages
    assert "never run" in str(stage.reasons[0])
    tally("run")
    assert seen(data).clean
    data.write("labels", "b")
    (stage,) = seen(data).stages
    assert (stage.reasons[0].kind, stage.reasons[0].name) == ("dep", "labels")
    assert [one.stage for one in seen(data, "out").stages] == ["upper"]
    assert seen(data, "data").stages == ()


def test_status_starts_nothing_of_a_strangers_repository(
    data: Repo, tally: Tally, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = f'#!/bin/sh\ntouch {tmp_path}/ran\nexec python3 "$@"\n'
    data.write("python3", evil).chmod(0o755)
    data.write("tally.yaml", "stages:\n  one:\n    cmd: ./python3 -c 1 > out\n    outs: [out]\n")
    tally("run")
    data.commit()
    tally("push")
    assert (tmp_path / "ran").exists()
    clone = data.clone(tmp_path / "clone")
    tally("pull", cwd=clone.path)
    (tmp_path / "ran").unlink()
    seen(clone)
    for command in ("status", "check", "diff", "log", "checkout"):
        tally(command, cwd=clone.path, code=None)
    assert not (tmp_path / "ran").exists()


def test_packages_that_a_lock_file_has_otherwise_are_named(done: Stages) -> None:
    done.repo.write("requirements.txt", "blake3==0.1\nnothing-at-all==1 ; python_version < '3'\n")
    shown = done.tally("status").out
    assert "blake3: `requirements.txt` has 0.1, it is not installed" in shown
    assert "nothing-at-all" not in shown
    assert len(done.tally("status", "--json").json()["drift"]) == 1
    done.tally("run", "--force", "prepare")
    receipt = done.receipt("prepare")["environment"]
    assert receipt["drift"] == ["blake3: `requirements.txt` has 0.1, it is not installed"]
    assert [lock["path"] for lock in receipt["locks"]] == ["requirements.txt"]


def test_stages_are_looked_for_by_the_name_that_pipelines_have() -> None:
    assert PIPELINES == PATTERN

"""tally doctor."""

import shutil
from pathlib import Path
from typing import Any

from tests.sandbox import Repo, Tally


def _findings(tally: Tally, *words: str, code: int = 0, cwd: Path | None = None) -> dict[str, Any]:
    diagnosis = tally("doctor", "--json", *words, code=code, cwd=cwd).json()
    assert diagnosis["healthy"] is (code == 0)
    return {finding["what"]: finding for finding in diagnosis["findings"]}


def test_a_sound_project_is_healthy(remote: Path, tally: Tally) -> None:
    found = _findings(tally)
    assert {name for name, finding in found.items() if finding["outcome"] != "good"} == {"git remote"}
    assert found["remote origin"]["found"] == "it answers, and is a store that refuses to write a name twice"
    assert found["git"]["found"].startswith("git version ")
    assert found["uv"]["found"].startswith("uv ")


def test_the_text_says_the_same(remote: Path, tally: Tally) -> None:
    lines = tally("doctor").out.splitlines()
    assert lines[0].startswith("good     tally")
    assert any(line.split() == ["good", "pointers", "0", "tracked"] for line in lines)


def test_outside_of_a_project_the_answer_is_no(tally: Tally, tmp_path: Path) -> None:
    found = _findings(tally, code=1, cwd=tmp_path)
    assert found["project"]["outcome"] == "bad"
    assert "git init" in found["project"]["hint"]


def test_a_remote_that_is_gone_is_bad_unless_nobody_asks(remote: Path, tally: Tally) -> None:
    shutil.rmtree(remote)
    assert _findings(tally, code=1)["remote origin"]["outcome"] == "bad"
    assert "remote origin" not in _findings(tally, "--offline")


def test_a_malformed_pointer_is_named(project: Repo, tally: Tally) -> None:
    project.write("data.csv.tally", "<<<<<<< HEAD\n")
    assert "data.csv.tally" in _findings(tally, code=1)["pointer"]["found"]


def test_an_author_that_git_does_not_know_is_a_warning(project: Repo, tally: Tally, sandbox: Path) -> None:
    (sandbox / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    assert _findings(tally)["author"]["outcome"] == "warning"


def test_it_says_whether_commands_may_run(project: Repo, tally: Tally, tmp_path: Path) -> None:
    clone = project.clone(tmp_path / "clone")
    assert "may run" in _findings(tally)["trust"]["found"]
    assert _findings(tally, cwd=clone.path)["trust"]["found"].startswith("none of")


def test_it_changes_nothing(project: Repo, tally: Tally) -> None:
    before = sorted(path for path in project.path.rglob("*"))
    tally("doctor")
    assert sorted(path for path in project.path.rglob("*")) == before
    assert project.git("status", "--porcelain") == ""


def test_it_says_what_lies_in_the_quarantine(project: Repo, tally: Tally) -> None:
    assert "quarantine" not in _findings(tally)
    folder = project.path / ".git/tally/quarantine"
    folder.mkdir(parents=True)
    (folder / "damaged.received").write_bytes(bytes(3 << 20))
    found = _findings(tally)["quarantine"]
    assert found["outcome"] == "warning"
    assert found["found"].startswith("1 file, 3.0 MiB,")
    assert str(folder) in found["found"]

"""Completion in shells."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox import Repo, Tally

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(tally: Tally, monkeypatch: pytest.MonkeyPatch, project: Repo) -> Complete:
    def ask(*words: str, cwd: Path | None = None) -> list[str]:
        monkeypatch.setenv("_TALLY_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["tally", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        return [line for line in tally(cwd=cwd).out.splitlines() if line]

    return ask


def test_commands_are_completed(complete: Complete) -> None:
    assert complete("re") == ["plain,remove", "plain,remote", "plain,repro"]
    assert "plain,--version" in complete("--")


def test_subcommands_and_options_are_completed(complete: Complete) -> None:
    assert complete("remote", "a") == ["plain,add"]
    assert "plain,--local" in complete("config", "--l")


def test_remotes_are_completed(complete: Complete, project: Repo) -> None:
    project.git("config", "tally.remote.origin.url", "/x")
    project.git("config", "tally.remote.other.url", "/y")
    assert complete("remote", "remove", "o") == ["plain,origin", "plain,other"]
    assert complete("remote", "remove", "ot") == ["plain,other"]


def test_tracked_paths_are_completed_from_the_folder_one_is_in(
    complete: Complete, project: Repo, tally: Tally
) -> None:
    project.write("data/images/a.png", "a")
    project.write("data/labels.csv", "b")
    for path in ("data/images", "data/labels.csv"):
        project.write(f"{path}.tally", "")
    assert complete("status", "da") == ["plain,data/images", "plain,data/labels.csv"]
    assert complete("status", "im", cwd=project.path / "data") == ["plain,images"]
    assert complete("status", "-C", "data", "la") == ["plain,labels.csv"]
    assert complete("status", "x") == ["file,x"]


def test_stages_that_have_run_are_completed(complete: Complete, project: Repo) -> None:
    project.write("receipts/train.json", "{}")
    project.write("sub/receipts/train.json", "{}")
    assert complete("log", "") == ["plain,sub:train", "plain,train"]
    assert complete("log", "t") == ["plain,train"]


def test_a_broken_project_offers_nothing_and_says_nothing(
    complete: Complete, project: Repo, tally: Tally
) -> None:
    project.write(".tallyconfig", "[[[")
    assert complete("remote", "remove", "o") == []
    assert tally.calls[-1].err == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(tally: Tally, shell: str, tmp_path: Path) -> None:
    script = tally("completion", shell).out
    assert "_TALLY_COMPLETE" in script
    assert tally("completion", shell, "--json").json()["shell"] == shell
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        done = subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")


def test_an_unknown_shell_is_wrong_usage(tally: Tally) -> None:
    assert "bash" in tally("completion", "tcsh", code=2).err

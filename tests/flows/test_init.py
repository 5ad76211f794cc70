"""tally init."""

from pathlib import Path

import pytest

from tallystick.cli.context import settings_home
from tallystick.errors import GitFailed
from tallystick.project import open_project
from tests.sandbox import Repo, Tally


def test_a_git_repository_becomes_a_project(repo: Repo, tally: Tally) -> None:
    ran = tally("init")
    assert "a Tallystick project" in ran.out
    assert repo.git("diff", "--cached", "--name-only") == ".tallyconfig"
    assert open_project(repo.path, settings_home()).config.repository in repo.read(".tallyconfig").decode()


def test_a_project_may_begin_before_the_first_commit(empty_repo: Repo) -> None:
    made = Tally(empty_repo.path)("init", "--json").json()
    assert made["created"] is True
    assert made["root"] == str(empty_repo.path)


def test_the_project_is_the_whole_repository_even_from_a_subfolder(repo: Repo, tally: Tally) -> None:
    (repo.path / "sub").mkdir()
    tally("init", cwd=repo.path / "sub")
    assert (repo.path / ".tallyconfig").is_file()
    assert not (repo.path / "sub/.tallyconfig").exists()


def test_a_second_init_changes_nothing(project: Repo, tally: Tally) -> None:
    before = project.read(".tallyconfig")
    made = tally("init", "--json").json()
    assert made["created"] is False
    assert project.read(".tallyconfig") == before
    assert made["repository"] in before.decode()
    assert "nothing was changed" in tally("init").out


def test_no_two_projects_have_the_same_id(tmp_path: Path) -> None:
    ids = set()
    for name in "ab":
        made = Repo(tmp_path / name)
        made.path.mkdir()
        made.git("init", "--quiet")
        ids.add(Tally(made.path)("init", "--json").json()["repository"])
    assert len(ids) == 2


def test_who_makes_a_project_trusts_it_and_who_clones_it_does_not(
    project: Repo, tally: Tally, tmp_path: Path
) -> None:
    clone = project.clone(tmp_path / "clone")
    assert "without your consent" in Tally(clone.path)("init").out
    assert open_project(project.path, settings_home()).grants.granted_all()
    assert not open_project(clone.path, settings_home()).grants.granted(["make"])


def test_the_index_is_left_alone_when_asked(repo: Repo, tally: Tally) -> None:
    tally("init", "--no-stage")
    assert repo.git("diff", "--cached", "--name-only") == ""


def test_outside_of_git_it_says_to_make_a_repository_first(tally: Tally, tmp_path: Path) -> None:
    ran = tally("init", cwd=tmp_path, code=10)
    assert "git init" in ran.err


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_stands_in_the_way_is_left_there(repo: Repo, tally: Tally, kind: str, tmp_path: Path) -> None:
    place = repo.path / ".tallyconfig"
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "elsewhere")
    assert "not a plain file" in tally("init", code=10).err
    assert not (tmp_path / "elsewhere").exists()


def test_ignored_settings_are_pointed_out(repo: Repo, tally: Tally) -> None:
    repo.write(".gitignore", ".*\n")
    assert "git ignores `.tallyconfig`" in tally("init", "--no-stage").out


def test_ignored_settings_go_into_the_index_all_the_same(repo: Repo, tally: Tally) -> None:
    repo.write(".gitignore", ".*\n")
    assert "ignores" not in tally("init").out
    assert repo.git("ls-files", ".tallyconfig") == ".tallyconfig"


def test_quiet_means_quiet(repo: Repo, tally: Tally) -> None:
    ran = tally("init", "-q")
    assert (ran.out, ran.err) == ("", "")


def test_a_failing_index_leaves_a_project_that_init_finds_again(
    repo: Repo, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise GitFailed("no index")

    monkeypatch.setattr("tallystick.git.plumbing.Git.stage", fail)
    tally("init", code=3)
    monkeypatch.undo()
    assert tally("init", "--json").json()["created"] is False

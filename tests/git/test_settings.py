"""Settings in git's syntax."""

from pathlib import Path

import pytest

from tallystick.errors import BadRecord, GitFailed, Refused
from tallystick.git.plumbing import Git
from tests.sandbox import Repo


@pytest.fixture
def git(repo: Repo) -> Git:
    return Git.discover(repo.path)


@pytest.fixture
def shared(repo: Repo) -> Path:
    return repo.path / ".tallyconfig"


def test_a_file_that_is_not_there_has_no_entries(git: Git, shared: Path) -> None:
    assert git.config_entries(shared) == []


@pytest.mark.parametrize("value", ["plain", "-dash", "--unset", "two\nlines", ' "q" \\ # ; ', "ünï", ""])
def test_every_value_comes_back_as_it_was_set(git: Git, shared: Path, value: str) -> None:
    git.set_config("remote.my.remote.url", "before", shared)
    git.set_config("remote.my.remote.url", value, shared)
    assert git.config_entries(shared) == [("remote.my.remote.url", value)]
    git.set_config("tally.x.y", value)
    assert git.config_entries(None, "tally.") == [("x.y", value)]


def test_a_key_without_value_is_true(git: Git, shared: Path) -> None:
    shared.write_text("[store]\n\tlink\n")
    assert git.config_entries(shared) == [("store.link", "true")]


def test_comments_survive_a_change(git: Git, shared: Path) -> None:
    shared.write_text("# where the data is\n[core]\n\tremote = a ; for now\n")
    git.set_config("core.other", "b", shared)
    assert shared.read_text().startswith("# where the data is\n[core]\n\tremote = a ; for now\n")


def test_a_shared_file_can_not_include_another(git: Git, shared: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("[user]\n\ttoken = s3cret\n")
    shared.write_text(f"[include]\n\tpath = {secret}\n[core]\n\tremote = a\n")
    assert ("core.remote", "a") in git.config_entries(shared)
    assert "user.token" not in dict(git.config_entries(shared))


def test_a_link_in_place_of_the_shared_file_is_neither_read_nor_written(
    git: Git, shared: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("[core]\n")
    shared.symlink_to(victim)
    with pytest.raises(Refused, match="link"):
        git.config_entries(shared)
    with pytest.raises(Refused, match="link"):
        git.set_config("core.editor", "evil", shared)
    assert victim.read_text() == "[core]\n"


def test_a_malformed_file_is_named_with_its_line(git: Git, shared: Path) -> None:
    shared.write_text("[core]\n\tremote = a\n[broken\n")
    with pytest.raises(BadRecord) as caught:
        git.config_entries(shared)
    assert (caught.value.source, caught.value.line) == (".tallyconfig", 3)


@pytest.mark.parametrize("key", ["", "plain", "core.", ".x", "-x.y\nz"])
def test_a_key_that_is_none_is_refused(git: Git, shared: Path, key: str) -> None:
    with pytest.raises(Refused):
        git.set_config(key, "x", shared)


def test_a_key_that_git_does_not_take_is_gits_error(git: Git, shared: Path) -> None:
    with pytest.raises(GitFailed):
        git.set_config("a.b_c", "x", shared)


def test_taking_out_says_whether_it_was_there(git: Git, shared: Path) -> None:
    git.set_config("remote.a.url", "x", shared)
    git.set_config("remote.a.region", "y", shared)
    assert git.unset_config("remote.a.region", shared)
    assert not git.unset_config("remote.a.region", shared)
    assert git.remove_section("remote.a", shared)
    assert not git.remove_section("remote.a", shared)
    assert git.config_entries(shared) == []


def test_settings_of_this_repository_stay_in_it(repo: Repo, git: Git, sandbox: Path) -> None:
    before = (sandbox / ".gitconfig").read_text()
    git.set_config("tally.remote.a.profile", "me")
    assert (sandbox / ".gitconfig").read_text() == before
    assert repo.git("config", "--local", "tally.remote.a.profile") == "me"

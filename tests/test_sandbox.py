"""The sandbox itself: what a test can't see and can't reach."""

import os
import socket
from pathlib import Path

import pytest

from tests.sandbox import Repo


def test_home_and_git_settings_are_the_tests_own(sandbox: Path, repo: Repo) -> None:
    assert Path.home() == sandbox
    assert repo.git("config", "user.email") == "ada@example.org"
    assert repo.git("config", "--show-origin", "user.name").startswith(f"file:{sandbox}")


def test_no_setting_of_the_person_who_runs_the_tests_is_left() -> None:
    assert not [name for name in os.environ if name.startswith("AWS_") and "key" in name.lower()]
    assert os.environ["GIT_CONFIG_NOSYSTEM"] == "1"


def test_the_network_is_out_of_reach() -> None:
    with (
        socket.socket() as outside,
        pytest.raises(AssertionError, match="reached for the network"),
    ):
        outside.connect(("192.0.2.1", 80))


def test_the_current_folder_belongs_to_no_repository(sandbox: Path) -> None:
    assert Repo(Path.cwd()).git("rev-parse", "--git-dir", check=False) == ""

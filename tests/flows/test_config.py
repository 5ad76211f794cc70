"""tally config."""

import pytest

from tests.sandbox import Repo, Tally


def test_a_shared_setting_stands_in_the_file_that_git_tracks(project: Repo, tally: Tally) -> None:
    tally("config", "core.jobs", "3")
    assert "jobs = 3" in project.read(".tallyconfig").decode()
    assert project.git("diff", "--cached", "--name-only") == ".tallyconfig"
    assert tally("config", "core.jobs").out == "3\n"


def test_a_machines_own_setting_wins_and_is_not_tracked(project: Repo, tally: Tally) -> None:
    tally("config", "core.jobs", "3")
    tally("config", "--local", "core.jobs", "5")
    assert tally("config", "core.jobs").out == "5\n"
    assert "jobs = 5" not in project.read(".tallyconfig").decode()
    assert project.git("config", "tally.core.jobs") == "5"


def test_all_settings_are_listed_with_where_they_stand(project: Repo, tally: Tally) -> None:
    tally("config", "--local", "store.link", "copy")
    listed = tally("config", "--json").json()["settings"]
    assert {"key": "store.link", "value": "copy", "shared": False} in listed
    assert [entry["key"] for entry in listed if entry["shared"]] == ["core.repository"]
    assert "store.link" in tally("config").out


def test_a_key_is_found_whatever_the_case_of_its_ends(project: Repo, tally: Tally) -> None:
    tally("config", "Core.Jobs", "4")
    assert tally("config", "core.JOBS").out == "4\n"


def test_a_setting_is_taken_out(project: Repo, tally: Tally) -> None:
    tally("config", "core.jobs", "3")
    tally("config", "--unset", "core.jobs")
    assert "not set" in tally("config", "core.jobs", code=3).err
    assert "not set" in tally("config", "--unset", "core.jobs", code=3).err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("core.jobs", "many"),
        ("core.jobs", "0"),
        ("store.link", "magic"),
        ("core.repository", "a b"),
        ("core.jobs", "1\n2"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(project: Repo, tally: Tally, key: str, value: str) -> None:
    before = project.read(".tallyconfig")
    tally("config", key, value, code=12)
    assert project.read(".tallyconfig") == before


def test_an_unknown_key_is_refused_with_the_known_ones(project: Repo, tally: Tally) -> None:
    assert "core.jobs" in tally("config", "core.job", "3", code=3).err


@pytest.mark.parametrize("key", ["endpointurl", "profile", "password", "key", "secret", "proxy", "anon"])
def test_what_steers_a_connection_is_not_shared(project: Repo, tally: Tally, key: str) -> None:
    before = project.read(".tallyconfig")
    ran = tally("config", f"remote.origin.{key}", "x", code=12)
    assert "tally config --local" in ran.err
    assert project.read(".tallyconfig") == before


@pytest.mark.parametrize("key", ["password", "secret", "token", "key", "passphrase", "connection-string"])
def test_a_secret_is_kept_to_the_machine_and_never_shown(project: Repo, tally: Tally, key: str) -> None:
    tally("config", "--local", f"remote.origin.{key}", "hunter2")
    assert project.git("config", f"tally.remote.origin.{key}") == "hunter2"
    for ran in (tally("config"), tally("config", "--json"), tally("config", f"remote.origin.{key}")):
        assert "hunter2" not in ran.out
        assert "***" in ran.out


def test_a_password_in_a_url_is_refused_in_shared_settings_and_hidden_elsewhere(
    project: Repo, tally: Tally
) -> None:
    url = "sftp://ada:hunter2@example.org/data"
    refused = tally("config", "remote.origin.url", url, code=12)
    assert "hunter2" not in refused.err
    tally("config", "--local", "remote.origin.url", url)
    assert tally("config", "remote.origin.url").out == "sftp://ada:***@example.org/data\n"


def test_unset_takes_a_key_and_no_value(project: Repo, tally: Tally) -> None:
    tally("config", "--unset", code=2)
    tally("config", "--unset", "core.jobs", "3", code=2)


def test_a_key_that_looks_like_an_option_reaches_nobody(project: Repo, tally: Tally) -> None:
    tally("config", "--", "--global.x", "y", code=3)


def test_settings_of_a_broken_file_name_the_line(project: Repo, tally: Tally) -> None:
    project.write(".tallyconfig", "[core]\n\tremote = a\n[[[\n")
    assert ".tallyconfig:3:" in tally("config", code=12).err


def test_before_init_there_are_no_settings(tally: Tally) -> None:
    assert "tally init" in tally("config", code=10).err

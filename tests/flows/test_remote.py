"""tally remote."""

from pathlib import Path

import pytest

from tallystick.cli.context import settings_home
from tallystick.project import open_project, open_remote
from tests.sandbox import Repo, Tally


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_a_folder_becomes_a_store_with_a_name(project: Repo, tally: Tally, store: Path) -> None:
    ran = tally("remote", "add", "origin", str(store))
    assert ran.out == f"Remote `origin` (default): {store}\n"
    assert (store / "tally-store.json").is_file()
    assert open_remote(open_project(project.path, settings_home())).url == str(store)
    assert project.git("diff", "--cached", "--name-only") == ".tallyconfig"


def test_a_store_that_is_there_already_is_taken_as_it_is(project: Repo, tally: Tally, store: Path) -> None:
    tally("remote", "add", "one", str(store))
    before = {file.name: file.read_bytes() for file in store.iterdir() if file.is_file()}
    tally("remote", "add", "two", str(store))
    assert {file.name: file.read_bytes() for file in store.iterdir() if file.is_file()} == before


def test_a_relative_folder_is_kept_as_an_absolute_one(project: Repo, tally: Tally) -> None:
    (project.path / "sub").mkdir()
    added = tally("remote", "add", "origin", "../../store", "--json", cwd=project.path / "sub").json()
    assert added["url"] == str(project.path.parent / "store")


def test_the_first_remote_is_the_default_one(project: Repo, tally: Tally, tmp_path: Path) -> None:
    tally("remote", "add", "a", str(tmp_path / "a"))
    tally("remote", "add", "b", str(tmp_path / "b"))
    assert tally("remote", "default").out == "a\n"
    tally("remote", "add", "c", str(tmp_path / "c"), "--default")
    assert tally("remote", "default").out == "c\n"
    tally("remote", "default", "b")
    assert tally("remote", "default", "--json").json()["name"] == "b"


def test_remotes_are_listed_with_the_default_one_marked(project: Repo, tally: Tally, tmp_path: Path) -> None:
    tally("remote", "add", "b", str(tmp_path / "b"))
    tally("remote", "add", "a", str(tmp_path / "a"), "--local")
    first, second = tally("remote", "list").out.splitlines()
    assert first.split() == ["a", str(tmp_path / "a"), "this", "machine"]
    assert second.split() == ["*", "b", str(tmp_path / "b")]


def test_the_word_list_can_be_left_out(project: Repo, tally: Tally, store: Path) -> None:
    tally("remote", "add", "origin", str(store))
    assert tally("remote").out == tally("remote", "list").out
    assert tally("remote", "--json").json() == tally("remote", "list", "--json").json()


def test_without_remotes_the_list_says_how_to_add_one(project: Repo, tally: Tally) -> None:
    assert "tally remote add" in tally("remote", "list").out
    assert tally("remote", "list", "--json").json() == {"remotes": []}


def test_a_local_remote_is_not_shared(project: Repo, tally: Tally, store: Path) -> None:
    before = project.read(".tallyconfig")
    tally("remote", "add", "origin", str(store), "--local")
    assert project.read(".tallyconfig") == before
    assert tally("remote", "list", "--json").json()["remotes"][0]["shared"] is False


def test_options_stay_on_this_machine_and_secrets_hidden(project: Repo, tally: Tally) -> None:
    url = "s3://bucket/project"
    tally("remote", "add", "cloud", url, "--no-check", "-o", "profile=work", "-o", "secret=hunter2")
    assert "work" not in project.read(".tallyconfig").decode()
    (remote,) = tally("remote", "list", "--json").json()["remotes"]
    assert remote == {
        "name": "cloud",
        "url": url,
        "is_default": True,
        "shared": True,
        "options": {"profile": "work", "secret": "***"},
    }
    assert "hunter2" not in tally("remote", "list").out


def test_a_name_that_is_taken_is_kept(project: Repo, tally: Tally, store: Path, tmp_path: Path) -> None:
    tally("remote", "add", "origin", str(store))
    ran = tally("remote", "add", "origin", str(tmp_path / "other"), code=3)
    assert "--force" in ran.err
    assert not (tmp_path / "other").exists()


def test_a_replaced_remote_keeps_nothing_of_the_former(project: Repo, tally: Tally, store: Path) -> None:
    tally("remote", "add", "origin", "s3://bucket/x", "--no-check", "--local", "-o", "profile=work")
    tally("remote", "add", "origin", str(store), "--force")
    (remote,) = tally("remote", "list", "--json").json()["remotes"]
    assert (remote["url"], remote["shared"], remote["options"]) == (str(store), True, {})


@pytest.mark.parametrize("name", ["", "a b", "../x", ".git", "a/b", "-x", "a.b", "é", "a" * 65])
def test_a_name_that_could_be_a_path_is_refused(project: Repo, tally: Tally, store: Path, name: str) -> None:
    tally("remote", "add", "--", name, str(store), code=3)
    assert not store.exists()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", 3),
        ("ftp://host/x", 12),
        ("simplecache::s3://bucket/x", 12),
        ("sftp://ada:hunter2@host/x", 12),
        ("https://host/x?X-Amz-Signature=hunter2", 12),
        ("s3://bucket/a\nb", 12),
    ],
)
def test_a_url_that_makes_no_sense_is_refused(project: Repo, tally: Tally, url: str, code: int) -> None:
    before = project.read(".tallyconfig")
    ran = tally("remote", "add", "origin", url, code=code)
    assert "hunter2" not in ran.err
    assert project.read(".tallyconfig") == before


def test_a_folder_inside_of_the_project_is_refused(project: Repo, tally: Tally) -> None:
    assert "in the project itself" in tally("remote", "add", "origin", "data", code=3).err
    assert "in the project itself" in tally("remote", "add", "origin", ".git/x", code=3).err


def test_a_folder_that_holds_something_else_is_no_store(project: Repo, tally: Tally, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_bytes(b"meow")
    before = project.read(".tallyconfig")
    tally("remote", "add", "origin", str(tmp_path / "photos"), code=3)
    assert project.read(".tallyconfig") == before
    assert [file.name for file in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_a_file_is_no_store(project: Repo, tally: Tally, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert tally("remote", "add", "origin", str(tmp_path / "file"), code=None).exit_code in (3, 15)


def test_an_option_needs_a_value(project: Repo, tally: Tally, store: Path) -> None:
    tally("remote", "add", "origin", str(store), "-o", "profile", code=2)


def test_a_removed_remote_is_forgotten_and_its_store_left(project: Repo, tally: Tally, store: Path) -> None:
    tally("remote", "add", "origin", str(store))
    tally("config", "--local", "remote.origin.profile", "work")
    removed = tally("remote", "remove", "origin", "--json").json()
    assert removed == {"name": "origin", "url": str(store), "default": None}
    assert (store / "tally-store.json").is_file()
    assert not (project.path / ".git/tally/remotes/origin").exists()
    assert tally("remote", "list", "--json").json() == {"remotes": []}
    assert "remote" not in project.read(".tallyconfig").decode()
    assert "profile" not in (project.path / ".git/config").read_text()


@pytest.mark.parametrize("words", [("remove", "x"), ("default", "x"), ("default",)])
def test_a_remote_that_is_not_there_is_named(project: Repo, tally: Tally, words: tuple[str, ...]) -> None:
    assert "tally remote" in tally("remote", *words, code=3).err

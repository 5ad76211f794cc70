"""Large files that the worktree and the local store share, and making them the user's own."""

import os
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tests.project.house import edit_in_place, opened
from tests.sandbox import Repo, Tally

BIG = os.urandom(1_200_000)


@pytest.fixture
def shared(project: Repo, tally: Tally) -> Repo:
    """A project in which a large file and a folder with one are shared with the store."""
    tally("config", "--local", "store.link", "hardlink")
    project.write("model.bin", BIG)
    project.write("data/big", BIG[::-1])
    project.write("data/small", "small")
    tally("add", "model.bin", "data")
    project.commit()
    return project


def stored(repo: Repo, data: bytes = BIG) -> Path:
    return opened(repo).store.object_name(Digest.of(data))


def test_a_large_file_is_added_without_a_copy_and_is_read_only_then(shared: Repo) -> None:
    file = shared.path / "model.bin"
    assert file.samefile(stored(shared))
    assert file.stat().st_mode & 0o777 == 0o444
    assert (shared.path / "data/small").stat().st_mode & 0o200


def test_checkout_links_what_the_store_has(shared: Repo, tally: Tally) -> None:
    (shared.path / "model.bin").unlink()
    (shared.path / "data/big").unlink()
    tally("checkout")
    assert (shared.path / "model.bin").samefile(stored(shared))
    assert (shared.path / "data/big").samefile(stored(shared, BIG[::-1]))
    assert tally("status", "--json").json()["clean"]


def test_a_file_edited_in_place_is_noticed_and_its_object_is_never_believed(
    shared: Repo, tally: Tally
) -> None:
    edit_in_place(shared.path / "model.bin")
    (status,) = [
        path for path in tally("status", "--json", code=None).json()["paths"] if path["path"] == "model.bin"
    ]
    assert (status["state"], status["stored"]) == ("modified", False)
    assert not stored(shared).exists()
    assert (shared.path / "model.bin").read_bytes().startswith(b"edited")


def test_an_object_that_was_edited_is_noticed_when_its_other_name_is_gone(shared: Repo, tally: Tally) -> None:
    edit_in_place(shared.path / "model.bin")
    (shared.path / "model.bin").unlink()
    assert "missing" in tally("checkout", code=13).err


def test_what_was_edited_in_place_is_added_as_what_it_is_now(shared: Repo, tally: Tally) -> None:
    edit_in_place(shared.path / "model.bin")
    tally("add", "model.bin")
    now = b"edited" + BIG[6:]
    assert stored(shared, now).read_bytes() == now
    assert opened(shared).store.read(Digest.of(now)) == now


def test_a_touched_shared_file_stays_what_it_is(shared: Repo, tally: Tally) -> None:
    os.utime(shared.path / "model.bin")
    assert tally("status", "--json").json()["clean"]
    assert stored(shared).exists()


def test_unprotect_gives_a_copy_that_can_be_edited(shared: Repo, tally: Tally) -> None:
    done = tally("unprotect", "model.bin", "data", "--json").json()
    assert [(path["path"], path["files"]) for path in done["paths"]] == [("data", 1), ("model.bin", 1)]
    file = shared.path / "model.bin"
    assert not file.samefile(stored(shared))
    edit_in_place(file)
    assert stored(shared).read_bytes() == BIG
    assert not tally("status", "--json", code=None).json()["clean"]
    tally("checkout", "--force")
    assert file.read_bytes() == BIG


def test_unprotecting_what_is_writable_changes_nothing(shared: Repo, tally: Tally) -> None:
    before = (shared.path / "data/small").stat()
    tally("unprotect", "data/small")
    assert (shared.path / "data/small").stat() == before


def test_an_executable_gets_bytes_of_its_own(project: Repo, tally: Tally) -> None:
    """The right to execute belongs to all names of a file."""
    tally("config", "--local", "store.link", "hardlink")
    project.write("tool", BIG)
    (project.path / "tool").chmod(0o755)
    tally("add", "tool")
    assert not (project.path / "tool").samefile(stored(project))
    (project.path / "tool").unlink()
    tally("checkout")
    assert not (project.path / "tool").samefile(stored(project))
    assert os.access(project.path / "tool", os.X_OK)


def test_that_large_files_are_copied_is_said_once(
    project: Repo, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.copying.reflink", lambda *_: False)
    project.write("one", BIG)
    project.write("two", BIG[1:])
    assert "store.link" in tally("add", "one").out
    assert "store.link" not in tally("add", "two").out

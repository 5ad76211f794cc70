"""Fetch, and place the data in the worktree."""

import os
from pathlib import Path

import pytest

from tallystick.errors import ObjectCorrupt, TallyError, WouldLoseChanges
from tallystick.flows.pull import Pulled, pull
from tests.project.house import contents, opened
from tests.sandbox import Repo, Tally


@pytest.fixture
def clone(project: Repo, remote: Path, tally: Tally, tmp_path: Path) -> Repo:
    project.write("data/a b", "one")
    project.write("data/sub/ü\n", "two")
    project.write("data/tool", "#!").chmod(0o755)
    project.write("data/nothing", "")
    os.symlink("sub", project.path / "data/link")
    (project.path / "data/empty").mkdir()
    project.write("model.bin", b"0123456789abcdef" * 200_000)
    tally("add", "data", "model.bin")
    project.commit()
    tally("push")
    return project.clone(tmp_path / "clone")


def pulled(repo: Repo, *targets: str, force: bool = False) -> Pulled:
    return pull(opened(repo), targets, force=force)


def test_a_fresh_clone_gets_everything_byte_for_byte(clone: Repo, project: Repo) -> None:
    result = pulled(clone)
    assert [path.path for path in result.paths] == ["data", "model.bin"]
    assert contents(clone.path / "data") == contents(project.path / "data")
    assert (clone.path / "data/tool").stat().st_mode & 0o100
    assert (clone.path / "data/link").readlink() == Path("sub")
    assert (clone.path / "data/empty").is_dir()
    assert clone.read("model.bin") == project.read("model.bin")
    assert clone.git("status", "--porcelain") == ""


def test_a_second_pull_touches_nothing(clone: Repo) -> None:
    pulled(clone)
    before = {path: path.stat().st_mtime_ns for path in clone.path.rglob("data/**/*")}
    assert all(path.written == 0 for path in pulled(clone).paths)
    assert {path: path.stat().st_mtime_ns for path in clone.path.rglob("data/**/*")} == before


def test_only_what_differs_is_written(clone: Repo) -> None:
    pulled(clone)
    (clone.path / "data/a b").unlink()
    (placed,) = pulled(clone, "data").paths
    assert (placed.written, placed.removed) == (1, 0)


def test_a_change_that_is_stored_nowhere_is_not_overwritten(clone: Repo) -> None:
    pulled(clone)
    clone.write("data/a b", "mine")
    clone.write("data/new", "mine too")
    (clone.path / "model.bin").unlink()
    with pytest.raises(WouldLoseChanges) as loss:
        pulled(clone)
    assert loss.value.paths == ("data/a b", "data/new")
    assert not (clone.path / "model.bin").exists(), "nothing is touched when something would be lost"
    pulled(clone, force=True)
    assert clone.read("data/a b") == b"one"
    assert not (clone.path / "data/new").exists()


def test_a_damaged_copy_in_the_store_is_no_safety_for_a_change(clone: Repo, tally: Tally) -> None:
    pulled(clone)
    clone.write("data/a b", "kept?")
    tally("add", "data", cwd=clone.path)
    clone.git("checkout", "--quiet", "HEAD", "--", "data.tally")
    for pack in (clone.path / ".git/tally/packs").glob("*.pack"):
        data = pack.read_bytes()
        pack.chmod(0o644)
        pack.write_bytes(data.replace(b"kept?", b"lost!"))
    with pytest.raises(TallyError):
        pulled(clone)
    assert clone.read("data/a b") == b"kept?"


def test_damaged_bytes_of_the_remote_are_never_placed(clone: Repo, remote: Path) -> None:
    for pack in (remote / "packs").rglob("*.pack"):
        data = bytearray(pack.read_bytes())
        data[len(data) // 3] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(data)
    with pytest.raises(ObjectCorrupt):
        pulled(clone)
    assert not (clone.path / "data").exists()


def test_a_large_file_that_went_bad_in_the_store_is_set_aside_and_fetched_again(
    clone: Repo, tally: Tally
) -> None:
    pulled(clone)
    (bad,) = (path for path in (clone.path / ".git/tally/objects").rglob("*") if path.is_file())
    before = bad.stat()
    bad.chmod(0o644)
    bad.write_bytes(bytes(before.st_size))
    os.utime(bad, ns=(before.st_atime_ns, before.st_mtime_ns))
    (clone.path / "model.bin").unlink()
    refused = tally("checkout", "model.bin", cwd=clone.path, code=14)
    assert "quarantine" in refused.err
    assert "`tally fetch`" in refused.err
    assert not (clone.path / "model.bin").exists()
    tally("pull", "model.bin", cwd=clone.path)
    assert clone.read("model.bin") == b"0123456789abcdef" * 200_000


def test_a_file_where_a_folder_belongs_is_replaced_if_it_is_stored(clone: Repo, tally: Tally) -> None:
    clone.write("data", "a file")
    with pytest.raises(WouldLoseChanges):
        pulled(clone)
    tally("add", "data", "--force", cwd=clone.path)
    clone.git("checkout", "--quiet", "HEAD", "--", "data.tally")
    pulled(clone)
    assert clone.read("data/a b") == b"one"


def test_data_is_not_written_through_a_link_out_of_the_worktree(clone: Repo, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(outside, clone.path / "data")
    with pytest.raises(TallyError):
        pulled(clone)
    assert not list(outside.iterdir())


def test_the_ledger_comes_with_the_data(project: Repo, clone: Repo, tally: Tally) -> None:
    project.write("tally.yaml", "stages:\n  one:\n    cmd: echo hi > out\n    outs: [out]\n")
    tally("run")
    assert pulled(clone).runs == 1
    assert pulled(clone).runs == 0


def test_a_git_remote_that_does_not_answer_is_a_remark(clone: Repo) -> None:
    clone.git("remote", "set-url", "origin", "/nowhere/at/all")
    result = pulled(clone)
    assert "ledger" in result.notes[0]
    assert clone.read("data/a b") == b"one"

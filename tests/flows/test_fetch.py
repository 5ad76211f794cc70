"""Bring blobs into the local store."""

import shutil
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.errors import ObjectCorrupt, ObjectMissing, Refused
from tallystick.flows.fetch import Fetched, fetch
from tests.project.house import opened
from tests.sandbox import Repo, Tally


@pytest.fixture
def clone(project: Repo, remote: Path, tally: Tally, tmp_path: Path) -> Repo:
    """A clone without data, of two commits of which both were pushed."""
    for content in ("one", "two"):
        project.write("data/1", content)
        project.write("data/deep/2", "same")
        project.write("labels", content + "!")
        tally("add", "data", "labels")
        project.commit()
    tally("push")
    return project.clone(tmp_path / "clone")


def fetched(repo: Repo, *targets: str, **options: object) -> Fetched:
    return fetch(opened(repo), targets, **options)  # type: ignore[arg-type]


def has(repo: Repo, data: bytes) -> bool:
    return opened(repo).store.contains(Digest.of(data))


def test_what_the_worktree_needs_comes_and_the_worktree_stays(clone: Repo) -> None:
    result = fetched(clone)
    assert (result.paths, result.blobs) == (2, 4)
    assert has(clone, b"two")
    assert not has(clone, b"one")
    assert not (clone.path / "data").exists()
    assert fetched(clone).blobs == 0


def test_other_commits_are_fetched_on_demand(clone: Repo) -> None:
    fetched(clone, revs=["HEAD~1", "HEAD"])
    assert has(clone, b"one")
    assert has(clone, b"two")


def test_a_part_of_a_folder_comes_alone(clone: Repo) -> None:
    fetched(clone, "data/deep")
    assert has(clone, b"same")
    assert not has(clone, b"two")


def test_a_dry_run_counts_without_asking_the_remote(clone: Repo, remote: Path) -> None:
    shutil.rmtree(remote)
    plan = fetched(clone, dry_run=True)
    assert (plan.dry_run, plan.blobs) == (True, 4)


def test_what_is_nowhere_is_named_with_path_digest_and_places(clone: Repo, remote: Path) -> None:
    for pack in (remote / "packs").rglob("*.pack"):
        pack.unlink()
    with pytest.raises(ObjectMissing) as missing:
        fetched(clone, "labels")
    assert "`labels`" in missing.value.message
    assert str(Digest.of(b"two!")) in missing.value.message
    assert str(remote) in missing.value.message
    assert "the local store" in missing.value.message


def test_another_remote_helps_out(clone: Repo, remote: Path, tally: Tally, tmp_path: Path) -> None:
    shutil.copytree(remote, tmp_path / "backup")
    for pack in (remote / "packs").rglob("*.pack"):
        pack.unlink()
    tally("remote", "add", "backup", str(tmp_path / "backup"), cwd=clone.path)
    assert fetched(clone).blobs == 4


def damage(remote: Path) -> None:
    """Change one byte of each pack's blobs."""
    for pack in (remote / "packs").rglob("*.pack"):
        data = bytearray(pack.read_bytes())
        data[8:-64] = bytes(byte ^ 1 for byte in data[8:-64])
        pack.chmod(0o644)
        pack.write_bytes(data)


def test_another_remote_helps_out_where_bytes_are_damaged(
    clone: Repo, remote: Path, tally: Tally, tmp_path: Path
) -> None:
    shutil.copytree(remote, tmp_path / "backup")
    damage(remote)
    tally("remote", "add", "backup", str(tmp_path / "backup"), cwd=clone.path)
    assert fetched(clone).blobs == 4
    assert has(clone, b"two!")


def test_another_remote_helps_out_where_the_first_is_down(
    clone: Repo, remote: Path, tally: Tally, tmp_path: Path
) -> None:
    remote.rename(tmp_path / "backup")
    tally("remote", "add", "backup", str(tmp_path / "backup"), cwd=clone.path)
    ran = tally("fetch", cwd=clone.path)
    assert ran.out.startswith("Fetched 4 blobs")
    assert f"note: `{remote}` " in ran.err
    assert "`backup` is asked instead" in ran.err


def test_a_remote_that_is_named_is_the_only_one_asked(
    clone: Repo, remote: Path, tally: Tally, tmp_path: Path
) -> None:
    shutil.copytree(remote, tmp_path / "backup")
    damage(remote)
    tally("remote", "add", "backup", str(tmp_path / "backup"), cwd=clone.path)
    with pytest.raises(ObjectCorrupt):
        fetched(clone, remote="origin")


def test_what_is_damaged_everywhere_is_named_with_path_digest_and_pack(clone: Repo, remote: Path) -> None:
    damage(remote)
    with pytest.raises(ObjectCorrupt) as damaged:
        fetched(clone, "labels")
    assert "`labels`" in damaged.value.message
    assert str(Digest.of(b"two!")) in damaged.value.message
    assert f"{remote}/packs/" in damaged.value.message


def test_without_a_remote_the_error_says_what_is_missing(clone: Repo, tally: Tally) -> None:
    tally("remote", "remove", "origin", cwd=clone.path)
    with pytest.raises(ObjectMissing) as missing:
        fetched(clone)
    assert "tally remote add" in (missing.value.hint or "")


def test_a_remote_that_is_not_there_is_refused_even_if_nothing_is_missing(clone: Repo) -> None:
    fetched(clone)
    with pytest.raises(Refused, match="no remote `nope`"):
        fetched(clone, remote="nope")

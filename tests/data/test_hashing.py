"""What paths hold now, and when they are read again."""

import os
from pathlib import Path

import pytest

from tallystick.data.hashing import BATCH_SIZE, look
from tallystick.data.singles import digest_now
from tallystick.digest import Digest
from tallystick.errors import Refused
from tallystick.progress import Silent
from tests.project.house import opened
from tests.sandbox import Repo, Tally


def test_a_file_is_its_bytes_and_its_executable_bit(project: Repo) -> None:
    project.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    held = look(opened(project), "run.sh")
    assert held is not None
    assert (held.kind, held.digest, held.size) == ("file", Digest.of(b"#!/bin/sh\n"), 10)
    assert held.executable
    assert held.files is None


def test_where_nothing_is_there_is_nothing_to_see(project: Repo) -> None:
    assert look(opened(project), "nothing") is None
    assert digest_now(opened(project), "nothing") is None


def test_equal_folders_have_equal_digests_wherever_they_lie(project: Repo) -> None:
    for folder in ("one", "deep/two"):
        project.write(f"{folder}/a b\n", "x")
        project.write(f"{folder}/sub/ü", "y")
        os.symlink("sub/ü", project.path / folder / "link")
        (project.path / folder / "empty").mkdir()
    one, two = look(opened(project), "one"), look(opened(project), "deep/two")
    assert one is not None
    assert two is not None
    assert one.digest == two.digest
    assert (one.files, one.size) == (3, two.size)


def test_a_file_that_did_not_change_is_not_read_again(project: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    file = project.write("data/a", "x")
    os.utime(file, (1, 1))
    look(opened(project), "data")
    reads: list[object] = []
    monkeypatch.setattr("tallystick.data.hashing.hash_file", reads.append)
    look(opened(project), "data")
    assert not reads


def test_a_change_of_equal_length_and_time_is_seen(project: Repo) -> None:
    file = project.write("data/a", "x")
    first = look(opened(project), "data")
    before = file.stat()
    file.write_text("y")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = look(opened(project), "data")
    assert first is not None
    assert second is not None
    assert first.digest != second.digest


def test_without_its_caches_a_project_sees_the_same(project: Repo) -> None:
    project.write("data/a", "x")
    first = look(opened(project), "data")
    for cache in (project.path / ".git/tally/stat").rglob("*.tally"):
        cache.write_bytes(b"garbage")
    assert look(opened(project), "data") == first


def test_a_folder_of_code_counts_with_what_git_sees(project: Repo) -> None:
    project.write(".gitignore", "__pycache__\n")
    project.write("src/train.py", "x = 1\n")
    before = digest_now(opened(project), "src")
    project.write("src/__pycache__/train.pyc", "bytes")
    assert digest_now(opened(project), "src") == before
    project.write("src/new.py", "y = 2\n")
    assert digest_now(opened(project), "src") != before


def test_a_folder_with_tracked_paths_inside_counts_with_their_data(project: Repo, tally: Tally) -> None:
    project.write("data/readme.txt", "about")
    project.write("data/images/1.png", "one")
    tally("add", "data/images")
    before = digest_now(opened(project), "data")
    assert before is not None
    project.write("data/images/1.png", "two")
    after = digest_now(opened(project), "data")
    assert after is not None
    assert before.digest != after.digest


def test_a_pipe_can_not_be_looked_at(project: Repo) -> None:
    os.mkfifo(project.path / "pipe")
    with pytest.raises(Refused, match="named pipe"):
        look(opened(project), "pipe")


def test_what_lies_behind_a_linked_folder_is_not_looked_at(project: Repo, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("x")
    os.symlink(tmp_path / "outside", project.path / "link")
    with pytest.raises(Refused):
        look(opened(project), "link/secret")


def test_the_bytes_of_one_large_file_are_shown_as_they_pass(project: Repo) -> None:
    steps: list[int] = []

    class Shown(Silent):
        def advance(self, files: int = 0, size: int = 0) -> None:
            steps.append(size)

    size = BATCH_SIZE + 5
    project.write("data/large", "").write_bytes(bytes(size))
    assert look(opened(project), "data", Shown()) is not None
    assert digest_now(opened(project), "data/large", Shown()) is not None
    assert sum(steps) == 2 * size
    assert max(steps) <= 1 << 20

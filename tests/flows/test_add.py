"""Freeze files and folders."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tallystick import process
from tallystick.data.tracked import blobs_of, tracked_in_worktree
from tallystick.digest import Digest
from tallystick.errors import BadRecord, Refused
from tallystick.flows.add import Added, add
from tallystick.process import Completed
from tallystick.worktree.ignore import MANY, MARK
from tests.project.house import opened
from tests.sandbox import Repo


def added(repo: Repo, *targets: str, **options: bool) -> Added:
    return add(opened(repo), targets, **options)


def staged(repo: Repo) -> list[str]:
    return repo.git("diff", "--cached", "--name-only", "-z").split("\0")[:-1]


def test_a_file_becomes_a_pointer_that_git_sees_and_data_that_it_does_not(project: Repo) -> None:
    project.write("data/labels.csv", "a,b\n")
    (path,) = added(project, "data/labels.csv").paths
    assert (path.kind, path.digest, path.size, path.state) == ("file", Digest.of(b"a,b\n"), 4, "new")
    assert staged(project) == ["data/.gitignore", "data/labels.csv.tally"]
    assert project.git("status", "--porcelain", "--", "data/labels.csv") == ""
    assert opened(project).store.read(path.digest) == b"a,b\n"


def test_a_folder_is_kept_with_modes_links_empty_folders_and_any_names(project: Repo) -> None:
    names = ["with space", "ünïcode", "new\nline", "percent%41", "-dash", "sub/deep/er"]
    for name in names:
        project.write(f"data/{name}", name)
    project.write("data/tool", "#!").chmod(0o755)
    os.symlink("sub/deep/er", project.path / "data/link")
    (project.path / "data/empty/inner").mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(project.path) + b"/data/\xff\xfe")).write_text("not UTF-8")
    (path,) = added(project, "data").paths
    assert path.files == len(names) + 3
    (tracked,) = tracked_in_worktree(opened(project))
    assert not opened(project).store.missing(blobs_of(opened(project), tracked))


def test_a_name_that_no_pointer_can_hold_is_refused_before_git_is_told_to_ignore_it(project: Repo) -> None:
    name = os.fsdecode(b"bad\xff.txt")
    (project.path / name).write_text("not UTF-8")
    with pytest.raises(Refused, match=r"`bad\\xff.txt` is not UTF-8"):
        added(project, name)
    assert not (project.path / ".gitignore").exists()


def test_a_hint_can_be_copied_whatever_the_name(project: Repo) -> None:
    project.write("a b/c")
    added(project, "a b")
    with pytest.raises(Refused) as refused:
        added(project, "a b/c")
    assert refused.value.hint == "`tally add 'a b'`"


def test_many_at_once_are_added_in_order(project: Repo) -> None:
    project.write("b", "1")
    project.write("a", "2")
    assert [path.path for path in added(project, "b", "a", "b").paths] == ["b", "a"]


def test_many_at_once_share_a_pack_and_a_line_for_their_kind(project: Repo) -> None:
    names = [f"data/{number}.bin" for number in range(MANY)]
    for name in names:
        project.write(name, name)
    added(project, *names)
    assert len(list((project.path / ".git/tally/packs").glob("*.pack"))) == 1
    assert project.read("data/.gitignore").splitlines() == [MARK, b"/*.bin"]
    assert [one.path for one in tracked_in_worktree(opened(project))] == sorted(names)


def test_adding_one_among_many_starts_no_more_programs(
    project: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[Sequence[str]] = []
    run = process.run

    def counted(argv: Sequence[str], **options: Any) -> Completed:
        starts.append(argv)
        return run(argv, **options)

    monkeypatch.setattr(process, "run", counted)
    project.write("data/one.bin", "1")
    added(project, "data/one.bin")
    alone, starts[:] = len(starts), []
    names = [f"data/{number}.bin" for number in range(MANY)]
    for name in names:
        project.write(name, name)
    added(project, *names)
    together, starts[:] = len(starts), []
    project.write("data/one.bin", "2")
    added(project, "data/one.bin")
    assert alone == together == len(starts)


def test_adding_again_says_what_changed(project: Repo) -> None:
    project.write("a", "1")
    project.write("b", "1")
    added(project, "a", "b")
    project.write("a", "2")
    assert [path.state for path in added(project, "a", "b").paths] == ["changed", "unchanged"]


def test_an_unchanged_path_is_neither_read_nor_stored_again(
    project: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(project.write("data/a", "x"), (1, 1))
    added(project, "data")
    monkeypatch.setattr("tallystick.store.writer.Writer.add_file", None)
    assert added(project, "data").paths[0].state == "unchanged"


def test_what_the_store_has_lost_is_stored_again(project: Repo) -> None:
    project.write("data/a", "x")
    (path,) = added(project, "data").paths
    for pack in (project.path / ".git/tally/packs").iterdir():
        pack.unlink()
    added(project, "data")
    assert opened(project).store.contains(path.digest)
    assert opened(project).store.contains(Digest.of(b"x"))


def test_comments_and_unknown_keys_of_a_pointer_survive(project: Repo) -> None:
    project.write("a", "1")
    added(project, "a")
    text = project.read("a.tally") + b"# from the lab\nlicence: CC0\n"
    project.write("a.tally", text)
    project.write("a", "22")
    added(project, "a")
    after = project.read("a.tally")
    assert b"# from the lab\nlicence: CC0\n" in after
    assert b"size: 2" in after


def test_gits_index_is_left_alone_if_wished_and_caught_up_later(project: Repo) -> None:
    project.write("a", "1")
    added(project, "a", stage=False)
    assert staged(project) == []
    added(project, "a")
    assert "a.tally" in staged(project)


def test_patterns_pass_over_pointers_and_what_git_tracks(project: Repo) -> None:
    for name in ("data/1.csv", "data/2.csv", "data/sub/3.csv", "data/notes.md"):
        project.write(name, name)
    project.git("add", "data/2.csv")
    assert [path.path for path in added(project, "data/*.csv", patterns=True).paths] == ["data/1.csv"]
    found = added(project, "data/**/*.csv", patterns=True).paths
    assert [path.path for path in found] == ["data/1.csv", "data/sub/3.csv"]
    with pytest.raises(Refused, match="nothing"):
        added(project, "*.parquet", patterns=True)


def test_large_files_are_kept_whole(project: Repo) -> None:
    data = os.urandom(3 << 20)
    project.write("model.bin", data)
    (path,) = added(project, "model.bin").paths
    place = opened(project).store.object_path(path.digest)
    assert place is not None
    assert place.read_bytes() == data


def test_names_that_collide_elsewhere_are_remarked_upon(project: Repo) -> None:
    project.write("data/a", "1")
    project.write("data/A", "2")
    (note,) = added(project, "data").notes
    assert "`A`, `a`" in note


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("nothing", "nothing at"),
        (".", "whole project"),
        (".git/config", "belongs to git"),
        (".tallyconfig", "belongs into git"),
        ("README.md", "git tracks"),
        ("code", "git tracks `code/a.py`"),
        ("link", "symbolic link"),
        ("whole/part", "inside `whole`"),
        ("whole.tally", "is a pointer"),
        ("holder", "`holder/inner`, inside of what would be added, is tracked already"),
        ("linked", "link out of the folder"),
        ("pipes", "named pipe"),
        ("nested", "another git repository"),
    ],
)
def test_what_can_not_be_tracked_is_refused_and_nothing_is_touched(
    project: Repo, target: str, reason: str
) -> None:
    project.write("code/a.py", "x")
    project.git("add", "code")
    project.write("whole/part", "x")
    project.write("holder/inner", "x")
    added(project, "whole", "holder/inner")
    os.symlink("README.md", project.path / "link")
    (project.path / "linked").mkdir()
    os.symlink("/etc/passwd", project.path / "linked/out")
    (project.path / "pipes").mkdir()
    os.mkfifo(project.path / "pipes/pipe")
    (project.path / "nested").mkdir()
    project.git("init", "--quiet", "nested")
    project.write("good", "x")
    before = staged(project)
    with pytest.raises(Refused, match=reason):
        added(project, "good", target)
    assert staged(project) == before


def test_of_two_targets_one_may_not_lie_in_the_other(project: Repo) -> None:
    project.write("data/a", "x")
    with pytest.raises(Refused, match="inside `data`"):
        added(project, "data", "data/a")
    assert not (project.path / "data.tally").exists()


def test_a_pointer_that_can_not_be_read_is_replaced_only_by_force(project: Repo) -> None:
    project.write("a", "1")
    conflict = b"<<<<<<< HEAD\ntally: 1\n=======\n>>>>>>> side\n"
    project.write("a.tally", conflict)
    with pytest.raises(BadRecord, match="merge conflict"):
        added(project, "a")
    assert project.read("a.tally") == conflict
    assert added(project, "a", force=True).paths[0].state == "new"
    assert tracked_in_worktree(opened(project))[0].pointer.digest == Digest.of(b"1")


def test_what_a_stage_makes_is_refused_with_the_stage_named(project: Repo) -> None:
    project.write("model", "1")
    added(project, "model")
    project.write("model.tally", project.read("model.tally") + b"stage: train\n")
    with pytest.raises(Refused, match="made by the stage `train`"):
        added(project, "model")
    assert added(project, "model", force=True).paths[0].state == "changed"
    assert b"stage" not in project.read("model.tally")


def test_a_name_with_a_line_break_is_tracked_and_hidden(project: Repo) -> None:
    project.write("odd\nname", "x")
    added(project, "odd\nname")
    assert tracked_in_worktree(opened(project))[0].path == "odd\nname"
    assert "odd\nname\0" not in project.git("status", "--porcelain", "-z")

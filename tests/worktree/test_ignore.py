"""Lines of `.gitignore`."""

import os
from pathlib import Path

import pytest

from tallystick.errors import Refused
from tallystick.git.plumbing import Git
from tallystick.worktree import Worktree, ignore
from tests.sandbox import Repo

NAMES = [
    "plain",
    "with space",
    "trailing ",
    "trailing  ",
    "#hash",
    "!bang",
    "star*",
    "[a]b",
    "que?stion",
    "back\\slash",
    "new\nline",
    "ret\rurn",
    "ünï",
    "\t",
    "**",
    os.fsdecode(b"\xff"),
]


@pytest.fixture
def here(repo: Repo) -> Worktree:
    return Worktree(repo.path, repo.path / ".git/tally", "main")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["", "sub/folder"])
def test_git_ignores_exactly_the_name(repo: Repo, here: Worktree, name: str, folder: str) -> None:
    prefix = f"{folder}/" if folder else ""
    repo.write(f"{prefix}{name}", "1")
    repo.write(f"{prefix}beside", "1")
    here.update_ignore(folder, add=[name])
    git = Git.discover(repo.path)
    beside = [f"{prefix}beside", f"{prefix}deeper/{name}", f"{prefix}x{name}", f"{prefix}{name}x"]
    assert git.ignored([f"{prefix}{name}", *beside]) == {f"{prefix}{name}"}
    here.update_ignore(folder, remove=[name])
    assert git.ignored([f"{prefix}{name}"]) == set()
    assert not (repo.path / folder / ".gitignore").exists()


def test_other_lines_stay_byte_for_byte(repo: Repo, here: Worktree) -> None:
    mine = b"# mine\r\n*.pyc  \n\n!keep\nlast line without end"
    repo.write(".gitignore", mine)
    assert here.update_ignore("", add=["data"]) == repo.path / ".gitignore"
    assert repo.read(".gitignore") == mine + b"\n/data\n"
    here.update_ignore("", add=["other"], remove=["data"])
    assert repo.read(".gitignore") == mine + b"\n/other\n"


def test_a_line_that_is_there_is_not_added_again(repo: Repo, here: Worktree) -> None:
    repo.write(".gitignore", b"/data\r\n")
    assert here.update_ignore("", add=["data", "data"]) is None
    assert here.update_ignore("", remove=["nope"]) is None
    assert here.update_ignore("", remove=["data"]) is not None


def test_a_link_in_place_of_the_file_or_folder_is_refused(repo: Repo, here: Worktree, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/.gitignore").write_text("theirs\n")
    (repo.path / ".gitignore").symlink_to(tmp_path / "outside/.gitignore")
    (repo.path / "sub").symlink_to(tmp_path / "outside")
    for folder in ("", "sub"):
        with pytest.raises(Refused, match="link"):
            here.update_ignore(folder, add=["data"])
    assert (tmp_path / "outside/.gitignore").read_text() == "theirs\n"


def track(repo: Repo, here: Worktree, names: list[str]) -> None:
    """Make names stand in a folder with their pointers, hidden from git."""
    for name in names:
        repo.write(f"data/{name}", "1")
    here.update_ignore("data", add=names)
    for name in names:
        repo.write(f"data/{name}.tally", "tally: 1\n")


def seen(repo: Repo) -> set[str]:
    """The files in the folder that git sees, without pointers and the ignore file."""
    git = Git.discover(repo.path)
    return {name for name in git.named_below("data") if not name.endswith((".tally", "/.gitignore"))}


@pytest.mark.parametrize("ending", [".jpg", ".tar.gz", ".a b ", "", ". ", ".[x]*", "."])
def test_many_names_of_a_kind_cost_one_line(repo: Repo, here: Worktree, ending: str) -> None:
    names = [f"{number:04}{ending}" for number in range(ignore.MANY)]
    track(repo, here, names[:-1])
    assert len(repo.read("data/.gitignore").splitlines()) == ignore.MANY - 1
    track(repo, here, names[-1:])
    assert repo.read("data/.gitignore").splitlines() == [ignore.MARK, ignore.kind_of(names[0].encode())]
    git = Git.discover(repo.path)
    assert git.ignored([f"data/{name}" for name in names]) == {f"data/{name}" for name in names}
    assert not git.ignored([f"data/{name}.tally" for name in names])
    before = repo.read("data/.gitignore")
    track(repo, here, [f"new1{ending}"])
    assert repo.read("data/.gitignore") == before


def test_a_kind_is_not_hidden_while_a_name_of_it_is_not_tracked(repo: Repo, here: Worktree) -> None:
    repo.write("data/mine.jpg", "1")
    track(repo, here, [f"{number}.jpg" for number in range(2 * ignore.MANY)])
    assert seen(repo) == {"data/mine.jpg"}
    repo.write("data/mine.jpg.tally", "tally: 1\n")
    track(repo, here, ["one.jpg"])
    assert repo.read("data/.gitignore").splitlines() == [ignore.MARK, b"/*.jpg"]


def test_lines_of_the_users_own_stay_when_a_kind_gets_one_line(repo: Repo, here: Worktree) -> None:
    repo.write("data/.gitignore", "# mine\n/scratch.jpg\n*.log\n")
    track(repo, here, [f"{number}.jpg" for number in range(ignore.MANY)])
    kept = b"# mine\n/scratch.jpg\n*.log\n"
    assert repo.read("data/.gitignore") == kept + ignore.MARK + b"\n/*.jpg\n"


def test_a_name_that_is_no_longer_tracked_is_seen_again(repo: Repo, here: Worktree) -> None:
    names = [f"{number}.jpg" for number in range(ignore.MANY)]
    track(repo, here, names)
    here.update_ignore("data", remove=["3.jpg"])
    assert seen(repo) == {"data/3.jpg"}
    (repo.path / "data/3.jpg.tally").unlink()
    track(repo, here, ["3.jpg"])
    assert seen(repo) == set()
    assert b"!" not in repo.read("data/.gitignore")


def test_nothing_is_left_of_a_line_for_a_kind_when_all_are_removed(repo: Repo, here: Worktree) -> None:
    names = [f"{number}.jpg" for number in range(ignore.MANY)]
    repo.write("data/.gitignore", "*.log\n")
    track(repo, here, names)
    for gone, name in enumerate(names, 1):
        here.update_ignore("data", remove=[name])
        (repo.path / f"data/{name}.tally").unlink()
        assert seen(repo) == {f"data/{shown}" for shown in names[:gone]}
        assert len(repo.read("data/.gitignore").splitlines()) <= 3 + ignore.MANY // 2
    assert repo.read("data/.gitignore") == b"*.log\n"


def test_what_a_line_for_a_kind_hides_without_a_pointer_is_told(repo: Repo, here: Worktree) -> None:
    track(repo, here, [f"{number}.jpg" for number in range(ignore.MANY)])
    assert here.unpointed("data") == []
    repo.write("data/forgotten.jpg", "1")
    repo.write("data/seen.png", "1")
    assert here.unpointed("data") == ["forgotten.jpg"]
    assert here.unpointed("") == here.unpointed("nowhere") == []


def test_a_change_of_one_name_among_many_does_not_list_the_folder(
    repo: Repo, here: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    track(repo, here, [f"{number}.jpg" for number in range(ignore.MANY)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda _folder: pytest.fail("the folder was listed"))
        assert here.update_ignore("data", add=["more.jpg"]) is None

"""What add, remove, push, fetch, pull and check print, as text and as JSON."""

import re
from pathlib import Path

import pytest

from tests.sandbox import Ran, Repo, Tally


@pytest.fixture
def data(project: Repo, remote: Path) -> Repo:
    project.write("data/1", "one")
    project.write("data/2", "two")
    project.write("labels.csv", "a,b\n")
    return project


def timeless(ran: Ran) -> list[str]:
    """What a command printed, without how long it took."""
    return re.sub(r" in [0-9.]+ s$", " in a moment", ran.out.rstrip("\n")).splitlines()


def test_add_says_what_it_took(data: Repo, tally: Tally) -> None:
    assert timeless(tally("add", "data", "labels.csv")) == [
        "added      data  (2 files, 6 B)",
        "added      labels.csv  (1 file, 4 B)",
        "Total: 3 files, 10 B; 10 B stored in a moment",
    ]
    assert timeless(tally("add", "data")) == [
        "unchanged  data  (2 files, 6 B)",
        "Total: 2 files, 6 B; 0 B stored in a moment",
    ]
    data.write("data/1", "longer")
    assert timeless(tally("add", "data")) == [
        "updated    data  (2 files, 9 B)",
        "Total: 2 files, 9 B; 6 B stored in a moment",
    ]


def test_add_as_json(data: Repo, tally: Tally) -> None:
    (path,) = tally("add", "labels.csv", "--json").json()["paths"]
    assert path["path"] == "labels.csv"
    assert path["digest"].startswith("blake3:")
    assert path["state"] == "new"


def test_paths_are_meant_from_where_one_stands(data: Repo, tally: Tally) -> None:
    folder = data.path / "data"
    tally("add", "1", "../labels.csv", cwd=folder)
    assert (folder / "1.tally").exists()
    assert (data.path / "labels.csv.tally").exists()
    assert tally("status", "1", "--json", cwd=folder).json()["paths"][0]["path"] == "data/1"
    assert tally("-C", "data", "status", "1").exit_code == 0


def test_add_without_staging_says_what_is_left_to_do(data: Repo, tally: Tally) -> None:
    assert "git add" in tally("add", "data", "--no-stage").out
    assert data.git("diff", "--cached", "--name-only") == ""


def test_patterns_are_expanded_by_tally(data: Repo, tally: Tally) -> None:
    assert "labels.csv" in tally("add", "--glob", "*.csv").out


def test_add_outside_of_the_project_is_refused(data: Repo, tally: Tally) -> None:
    ran = tally("add", "../elsewhere", code=3)
    assert ran.err.startswith("error: `../elsewhere` is outside of the project")


def test_add_needs_a_target(project: Repo, tally: Tally) -> None:
    assert "TARGETS" in tally("add", code=2).err


def test_quiet_says_nothing(data: Repo, tally: Tally) -> None:
    ran = tally("-q", "add", "data")
    assert (ran.out, ran.err) == ("", "")


def test_push_fetch_and_pull_say_how_much(data: Repo, tally: Tally, tmp_path: Path) -> None:
    tally("add", "data", "labels.csv")
    data.commit()
    assert tally("push", "--dry-run").out.startswith("Would send 4 blobs (")
    assert "to `origin`, which has all 4 blobs of 2 paths" in tally("push").out
    again = timeless(tally("push"))
    assert again[0] == "`origin` has everything already: 4 blobs of 2 paths"
    assert again[1] == "Total: 3 files, 10 B; 0 B sent in a moment"
    clone = data.clone(tmp_path / "clone").path
    assert tally("fetch", "--dry-run", cwd=clone).out.startswith("Would fetch 4 blobs")
    part = tally("fetch", "data/1", cwd=clone).out.splitlines()
    assert part[0].startswith("Fetched 2 blobs (")
    assert part[1].startswith("Total: 1 file, ")
    assert tally("fetch", "data", cwd=clone).out.startswith("Fetched 1 blob (")
    pulled = tally("pull", cwd=clone).out.splitlines()
    assert pulled[0].startswith("Fetched 1 blob (")
    assert pulled[1:3] == ["placed  data  (2 files written)", "placed  labels.csv  (1 file written)"]
    assert re.fullmatch(r"Total: 3 files, 10 B; \d+ B received in [0-9.]+ s", pulled[3])
    assert timeless(tally("pull", cwd=clone)) == [
        "2 paths as recorded already",
        "Total: 0 files, 0 B; 0 B received in a moment",
    ]
    assert timeless(tally("fetch", cwd=clone)) == [
        "The local store has everything of 2 paths already",
        "Total: 3 files, 10 B; 0 B received in a moment",
    ]
    assert tally("pull", "--json", cwd=clone).json()["fetched"]["blobs"] == 0


def test_with_nothing_tracked_the_next_step_is_named(project: Repo, remote: Path, tally: Tally) -> None:
    assert "tally add" in tally("push").out
    assert "tally add" in tally("status").out
    assert tally("pull").out == "Nothing is tracked here\n"
    assert tally("checkout").out.endswith("\nNothing is tracked here\n")
    assert tally("fetch").out == "Nothing is tracked there\n"


def test_changes_that_would_be_lost_are_named(data: Repo, tally: Tally) -> None:
    tally("add", "data", "labels.csv")
    tally("push")
    data.write("data/1", "mine")
    ran = tally("pull", code=16)
    assert ran.err == (
        "error: changes would be lost in `data/1`\n"
        "hint: keep them with `tally add`, or drop them with `--force`\n"
    )
    tally("pull", "--force")
    assert data.read("data/1") == b"one"


def test_an_error_as_json_goes_to_stderr(project: Repo, tally: Tally) -> None:
    ran = tally("push", "--json", code=3)
    assert ran.out == ""
    assert '"hint": "tally remote add origin' in ran.err


def test_remove_says_that_the_data_stays(data: Repo, tally: Tally) -> None:
    tally("add", "data", "labels.csv")
    assert tally("remove", "labels.csv").out.splitlines() == [
        "removed  labels.csv.tally",
        "The data itself stays where it is; git sees it again.",
    ]
    assert tally("remove", "data", "--delete").out == "removed  data.tally  (2 files deleted)\n"


def test_check_answers_with_its_exit_code(data: Repo, tally: Tally) -> None:
    tally("add", "data", "labels.csv")
    assert "sound" in tally("check").out
    assert "not in the remote `origin`" in tally("check", "-r", "origin", code=1).out
    tally("push")
    assert tally("check", "-r", "origin", "--json").json()["problems"] == []
    data.write("labels.csv.tally", "")
    ran = tally("check", code=1)
    assert "labels.csv.tally" in ran.out
    assert "hint:" in ran.out

"""What status, checkout and diff print, and how they tell commits from paths."""

import shutil
from pathlib import Path

import pytest

from tests.sandbox import Repo, Tally


@pytest.fixture
def data(project: Repo, tally: Tally) -> Repo:
    project.write("data/1", "one")
    tally("add", "data")
    project.commit()
    project.write("data/2", "two")
    tally("add", "data")
    project.commit()
    return project


def test_status_names_what_changed(data: Repo, tally: Tally) -> None:
    assert tally("status").out == "All clean: 1 path unchanged\n"
    data.write("data/3", "three")
    (data.path / "data/1").unlink()
    assert tally("status").out.splitlines() == [
        "Data",
        "  modified     data  (1 added, 1 removed)",
        "    + 3",
        "    - 1",
    ]


def test_status_ends_with_0_unless_asked_for_an_answer(data: Repo, tally: Tally) -> None:
    assert tally("status", "--exit-code").exit_code == 0
    data.write("data/3", "three")
    tally("status")
    tally("status", "--exit-code", code=1)


def test_long_lists_are_cut_short_unless_verbose(data: Repo, tally: Tally) -> None:
    for number in range(10, 20):
        data.write(f"data/{number}", "x")
    assert "    + … 5 more" in tally("status").out.splitlines()
    assert "    + 19" in tally("status", "-v").out.splitlines()


def test_status_says_what_to_do_about_missing_data(data: Repo, tally: Tally, tmp_path: Path) -> None:
    shutil.rmtree(data.path / "data")
    assert "missing      data: `tally checkout`" in tally("status").out
    clone = data.clone(tmp_path / "clone").path
    assert tally("status", cwd=clone).out == "No data is here yet (1 path): `tally pull`\n"


def test_status_shows_stages_with_their_reasons(project: Repo, tally: Tally) -> None:
    project.write("tally.yaml", "stages:\n  one:\n    cmd: echo hi > out\n    outs: [out]\n")
    out = tally("status").out
    assert "stale        one" in out
    assert "never run" in out
    tally("run")
    assert tally("status").out == "All clean: 1 path unchanged, 1 stage up to date\n"


def test_names_that_steer_a_terminal_are_shown_harmless(data: Repo, tally: Tally) -> None:
    data.write("data/\x1b[2Jclear", "x")
    assert "\x1b" not in tally("status").out


def test_checkout_says_where_one_is_and_what_it_did(data: Repo, tally: Tally) -> None:
    first = data.git("rev-parse", "HEAD~1")
    out = tally("checkout", "HEAD~1").out.splitlines()
    assert out[:2] == [f"At {first[:10]} on a detached HEAD", "placed  data  (1 file removed)"]
    assert out[2].startswith("Total: 1 file, 0 B; 0 B received in ")
    assert tally("checkout", "-").out.splitlines()[0].endswith("on `main`")
    assert "as recorded already" in tally("checkout").out


def test_checkout_of_a_path_in_a_subfolder(data: Repo, tally: Tally) -> None:
    (data.path / "sub").mkdir()
    shutil.rmtree(data.path / "data")
    tally("checkout", "../data", cwd=data.path / "sub")
    assert data.read("data/2") == b"two"


def test_a_word_that_may_be_both_a_commit_and_a_path_is_refused(data: Repo, tally: Tally) -> None:
    data.git("branch", "data")
    ran = tally("checkout", "data", code=2)
    assert "`./data` for the path" in ran.err
    tally("checkout", "./data")
    tally("checkout", "data^0", "./data")


def test_a_word_that_is_neither_is_refused(data: Repo, tally: Tally) -> None:
    assert "neither a commit nor a tracked path" in tally("checkout", "nope", code=3).err
    assert "neither a commit nor a tracked path" in tally("diff", "nope", code=3).err


def test_a_file_of_a_tracked_folder_that_is_gone_is_a_path(data: Repo, tally: Tally) -> None:
    (data.path / "data/1").unlink()
    tally("checkout", "data/1")
    assert data.read("data/1") == b"one"


def test_checkout_leaves_the_environment_of_a_stranger_alone(
    project: Repo, remote: Path, tally: Tally, tmp_path: Path
) -> None:
    project.write("tally.yaml", "stages:\n  one:\n    cmd: python3 -c 1 > out\n    outs: [out]\n")
    tally("run")
    project.commit()
    tally("push")
    clone = project.clone(tmp_path / "clone").path
    assert "not trusted yet" in tally("checkout", "main", cwd=clone).out
    assert "Environment" not in tally("checkout", "main", "--no-environment", cwd=clone).out
    assert "the active one" in tally("checkout", "main", "--trust", cwd=clone).out


def test_trust_of_a_checkout_counts_for_the_commands_that_it_brings_and_for_no_others(
    project: Repo, remote: Path, tally: Tally, tmp_path: Path
) -> None:
    project.write("tally.yaml", "stages:\n  one:\n    cmd: touch out\n    outs: [out]\n")
    tally("run")
    project.commit()
    tally("push")
    clone = project.clone(tmp_path / "clone")
    tally("checkout", "main", "--trust", cwd=clone.path)
    tally("run", "--force", cwd=clone.path)
    clone.write("tally.yaml", "stages:\n  one:\n    cmd: touch out other\n    outs: [out]\n")
    assert "touch out other" in tally("run", cwd=clone.path, code=19).err


def test_an_environment_that_can_not_be_had_is_told_after_the_data_is_placed(
    project: Repo, remote: Path, tally: Tally
) -> None:
    project.write("tally.yaml", "stages:\n  one:\n    cmd: python3 -c 1 > out\n    outs: [out]\n")
    tally("run")
    lock = project.read("environment.lock").decode()
    version = lock.split('"python": "')[1].split('"')[0]
    project.write("environment.lock", lock.replace(version, "3.1.4"))
    project.commit()
    (project.path / "out").unlink()
    ran = tally("checkout", "main", code=17)
    assert "Python 3.1.4" in ran.out
    assert (project.path / "out").exists()


@pytest.mark.parametrize("words", [("HEAD~1", "HEAD"), ("HEAD~1..HEAD",), ("HEAD~1..",)])
def test_diff_of_two_commits(data: Repo, tally: Tally, words: tuple[str, ...]) -> None:
    out = tally("diff", *words).out.splitlines()
    assert out[1:] == ["Data", "  changed  data  3 B -> 6 B  (1 added)", "    + 2"]


def test_diff_takes_paths_with_and_without_commits(data: Repo, tally: Tally) -> None:
    data.write("data/1", "changed")
    assert "~ 1" in tally("diff", "data").out
    assert "~ 1" in tally("diff", "../data", cwd=data.path / "data").out
    assert "nothing differs" in tally("diff", "HEAD", "HEAD", "data").out
    tally("diff", "--exit-code", code=1)
    assert tally("diff", "--json").json()["same"] is False


def test_diff_shows_params_and_metrics_as_tables(project: Repo, tally: Tally) -> None:
    project.write(
        "tally.yaml",
        "stages:\n  one:\n    cmd: cp p.json m.json\n    params: [{p.json: [lr]}]\n    metrics: [m.json]\n",
    )
    project.write("p.json", '{"lr": 0.5}\n')
    tally("run")
    project.commit()
    project.write("p.json", '{"lr": 0.75}\n')
    tally("run")
    lines = [line.split() for line in tally("diff").out.splitlines()]
    assert ["p.json", "lr", "0.5", "0.75", "+0.25"] in lines
    assert ["m.json", "lr", "0.5", "0.75", "+0.25"] in lines

"""What a repeated command can't see or do, how long and how often it runs, and what verdicts say of it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallystick import process
from tallystick.errors import Refused
from tallystick.landlock import version
from tallystick.sandbox import bubblewrap, landlocked, namespaces
from tallystick.sandbox.room import Mount, Room, mounts
from tests.flows.conftest import Stages
from tests.reproduction.corpus import without_python
from tests.sandbox import Repo, Tally

LOOK = """\
exec > seen
[ -e "$HOME/secret" ] && echo home
[ -e "$WORKTREE/untracked" ] && echo worktree
[ -e helper.sh ] && echo code
git rev-parse --quiet --verify HEAD > sha && echo history
(echo x > "$OUTSIDE/escape") 2> complaint && echo outside
echo x > /tmp/tally-test-scratch && echo temporary
sed -e 1,2d -e 's/:.*//' -e 's/ //g' /proc/net/dev > interfaces
"""

NOISE = """\
number=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
echo "{\\"noise\\": 0.$number}" > m.json
"""

needs_bubblewrap = pytest.mark.skipif(
    not bubblewrap.walls(Room()).before, reason="bubblewrap doesn't work on this machine"
)


def test_a_link_in_a_folder_that_is_there_as_it_is_is_not_made_twice(tmp_path: Path) -> None:
    """As when a command names `.venv/bin/python`, where a link to the rebuilt environment stands."""
    environment, worktree = tmp_path / "environment", tmp_path / "worktree"
    environment.mkdir()
    worktree.mkdir()
    (worktree / ".venv").symlink_to(environment)
    room = Room(writable=(str(worktree),), shown=(str(worktree / ".venv"),), hidden=(str(tmp_path),))
    found = mounts(room)
    assert Mount(str(environment), "read-only", str(environment)) in found
    assert not [mount for mount in found if mount.how == "link"]


@needs_bubblewrap
def test_walls_stand_around_a_link_in_a_writable_folder(tmp_path: Path) -> None:
    (tmp_path / "environment").mkdir()
    (tmp_path / ".venv").symlink_to("environment")
    assert bubblewrap.walls(Room((str(tmp_path),), (str(tmp_path / ".venv"),), (str(tmp_path),))).before


needs_landlock = pytest.mark.skipif(version() == 0, reason="this kernel has no Landlock")


@pytest.fixture
def plain(project: Repo, tally: Tally, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Return a project whose stages need no Python, so that no environment has to be rebuilt."""
    monkeypatch.setenv("PATH", str(without_python(tmp_path)))
    return Stages(project, tally)


@pytest.fixture
def looking(plain: Stages, sandbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Return a project with a stage that looks around."""
    (sandbox / "secret").touch()
    (tmp_path / "outside").mkdir()
    monkeypatch.setenv("OUTSIDE", str(tmp_path / "outside"))
    monkeypatch.setenv("WORKTREE", str(plain.repo.path))
    plain.repo.write("look.sh", LOOK)
    plain.repo.write("helper.sh", "")
    plain.pipeline(
        "stages: {look: {cmd: sh look.sh, deps: [look.sh], outs: [seen], variables: [OUTSIDE, WORKTREE]}}"
    )
    plain.tally("run")
    plain.repo.commit()
    plain.repo.write("untracked", "")
    (tmp_path / "outside/escape").unlink()
    return plain


def repeated(stages: Stages, *args: str, code: int | None = 0) -> dict[str, Any]:
    return dict(stages.tally("repro", "--json", *args, code=code).json())


@needs_bubblewrap
def test_a_command_sees_and_writes_only_what_is_its_own(looking: Stages, tmp_path: Path) -> None:
    found = repeated(looking, "--keep", code=1)
    kept = Path(found["kept"])
    assert (kept / "seen").read_text().split() == ["code", "history", "temporary"]
    assert (kept / "interfaces").read_text().split() == ["lo"]
    assert not (tmp_path / "outside/escape").exists()
    assert "no network" in found["verdict"]["enforced"]
    assert "only its own files are writable" in found["verdict"]["enforced"]


def test_without_isolation_it_sees_all_and_the_verdict_says_so(looking: Stages, tmp_path: Path) -> None:
    found = repeated(looking, "--keep", "--no-isolation", code=None)
    seen = (Path(found["kept"]) / "seen").read_text().split()
    assert seen == ["home", "worktree", "code", "history", "outside", "temporary"]
    assert found["verdict"]["enforced"] == ["not isolated: `--no-isolation`"]


@needs_bubblewrap
def test_a_stage_that_asks_for_the_network_has_it_and_the_verdict_says_so(looking: Stages) -> None:
    text = looking.repo.read("tally.yaml").decode()
    looking.pipeline(text.replace("{cmd:", "{network: true, cmd:"))
    looking.repo.commit()
    found = repeated(looking, code=1)["verdict"]["enforced"]
    assert "no network" not in found
    assert "`look` asks for the network and had it" in found


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what takes programs away; bubblewrap is gone already."""
    find, gone = process.find, {"bwrap"}

    def without(program: str, path: str | None = None) -> str:
        if program in gone:
            raise Refused(f"the program `{program}` is not on PATH")
        return find(program, path)

    monkeypatch.setattr(process, "find", without)
    return gone.add


READ = """\
exec > seen
cat "$USERS/secret" > copy 2> complaint && echo home
cat "$WORKTREE/untracked" > copy 2> complaint && echo worktree
cat helper.sh > copy && echo code
git rev-parse --quiet --verify HEAD > sha && echo history
(echo x > "$OUTSIDE/escape") 2> complaint && echo outside
echo x > "$TMPDIR/scratch" && echo temporary
echo x > "$HOME/scratch" && echo own home
for name in /tmp/*; do [ "$name" = "/tmp/*" ] || echo listed; done
"""


@needs_landlock
@pytest.mark.parametrize("namespaces_too", [True, False])
def test_without_bubblewrap_landlock_keeps_files_apart(
    looking: Stages,
    no_bubblewrap: Callable[[str], None],
    tmp_path: Path,
    sandbox: Path,
    monkeypatch: pytest.MonkeyPatch,
    namespaces_too: bool,
) -> None:
    if not namespaces_too:
        no_bubblewrap("unshare")
    monkeypatch.setenv("USERS", str(sandbox))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    looking.repo.write("look.sh", READ)
    looking.pipeline(looking.repo.read("tally.yaml").decode().replace("WORKTREE", "WORKTREE, USERS"))
    looking.tally("run")
    looking.repo.commit()
    (tmp_path / "outside/escape").unlink()
    found = repeated(looking, "--keep", code=1)
    seen = (Path(found["kept"]) / "seen").read_text().split("\n")
    assert seen == ["code", "history", "temporary", "own home", ""]
    assert not (tmp_path / "outside/escape").exists()
    *facts, beyond = found["verdict"]["enforced"]
    assert facts == [
        "no network",
        "only its own files are writable",
        "the user's home, worktree and temporary files can't be read",
    ]
    assert beyond.startswith("not out of sight: other processes")
    assert "bubblewrap (`bwrap`) is not installed here" in beyond


@needs_landlock
def test_without_namespaces_no_socket_can_be_made_that_leads_anywhere(tmp_path: Path) -> None:
    walls = landlocked.walls(Room(scratch=str(tmp_path)), "no reason")
    assert walls is not None
    code = (
        "import socket; socket.socketpair(); socket.socket(socket.AF_UNIX); print('local'); socket.socket()"
    )
    done = subprocess.run([*walls.before, sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "local\n"
    assert "PermissionError" in done.stderr


def test_without_landlock_the_network_is_still_taken_away(
    looking: Stages, no_bubblewrap: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlocked, "version", lambda: 0)
    if not namespaces.walls(Room()).before:
        pytest.skip("this system lets nobody have namespaces")
    found = repeated(looking, "--keep", code=None)
    assert found["verdict"]["enforced"] == [
        "no network",
        "not isolated further: bubblewrap (`bwrap`) is not installed here",
    ]
    assert (Path(found["kept"]) / "interfaces").read_text().split() == ["lo"]


def test_a_command_that_does_not_end_is_ended(plain: Stages) -> None:
    plain.tally("run", "-n", "a", "-o", "o", "--", "[ ! -e trap ] || sleep 600; echo 1 > o")
    plain.repo.write("trap", "")
    plain.repo.commit()
    found = repeated(plain, "--timeout", "0.3", code=18)
    (stage,) = found["verdict"]["stages"]
    assert (stage["outcome"], stage["reason"]) == (
        "could not be rebuilt",
        "the command did not end within 0.3 s",
    )


@needs_bubblewrap
@pytest.mark.parametrize(
    ("command", "said", "hint"),
    [
        ("echo x > /etc/made", "Read-only file system", "it writes outside of its worktree"),
        ("echo Could not resolve host >&2; false", "Could not resolve host", "say `network: true`"),
    ],
)
def test_a_command_that_meets_a_wall_is_told_by_its_last_line(
    plain: Stages, command: str, said: str, hint: str
) -> None:
    plain.tally("run", "-n", "a", "-o", "o", "--", f"if [ -e trap ]; then {command}; else echo 1 > o; fi")
    plain.repo.write("trap", "")
    plain.repo.commit()
    ran = plain.tally("repro", code=18)
    assert said in ran.out
    assert hint in ran.out
    assert "repeat with `--keep`" not in ran.out


def test_a_command_that_asks_for_input_gets_none(plain: Stages) -> None:
    plain.tally("run", "-n", "a", "-o", "o", "--", 'read -r line; echo "[$line]" > o')
    plain.repo.commit()
    assert plain.tally("repro", stdin="hello\n").out.splitlines()[0].startswith("a: identical")


@pytest.fixture
def noisy(plain: Stages) -> Stages:
    """Return a project with a stage whose number is another one each time."""
    plain.repo.write(
        "noise.sh", 'echo "{\\"noise\\": 0.$(od -An -N4 -tu4 /dev/urandom | tr -d \' \')}" > m.json'
    )
    plain.pipeline(
        "stages:\n  noise:\n    cmd: sh noise.sh\n    deps: [noise.sh]\n    metrics: [m.json]  # a remark\n"
    )
    plain.tally("run")
    plain.repo.commit()
    return plain


def test_several_repetitions_measure_how_far_numbers_lie_apart(noisy: Stages) -> None:
    verdict = repeated(noisy, "-n", "3", code=1)["verdict"]
    assert verdict["repetitions"] == 3
    (far,) = verdict["spread"]["m.json"].values()
    assert 0 < far < 1
    assert noisy.repo.git("status", "--porcelain") == ""


def test_what_was_measured_is_written_as_the_tolerance_when_asked_for(noisy: Stages) -> None:
    ran = noisy.tally("repro", "-n", "3", "--write-tolerance", code=1)
    assert "written: tally.yaml" in ran.out
    text = noisy.repo.read("tally.yaml").decode()
    assert "measured: {spread: 0." in text
    assert "# a remark" in text


def test_a_spread_needs_several_repetitions(noisy: Stages) -> None:
    assert "add `-n 5`" in noisy.tally("repro", "--write-tolerance", code=2).err


def test_what_is_another_machine_is_said_before_anything_runs(noisy: Stages) -> None:
    receipt = noisy.receipt("noise")
    receipt["hardware"] |= {"cpu": "Another", "flags": ["avx1024"], "drivers": ["nvidia 1"]}
    receipt["started"] = "2026-01-31T12:00:00Z"
    noisy.repo.write("receipts/noise.json", json.dumps(receipt, indent=2, sort_keys=True) + "\n")
    noisy.repo.commit()
    ran = noisy.tally("repro", "--json", code=1)
    unlike = ran.json()["verdict"]["unlike"]
    assert [line.partition(":")[0] for line in unlike] == ["processor", "processor features", "drivers"]
    assert ran.err.index("not as recorded: processor: Another then") < ran.err.index("repeating `noise`")


def test_a_verdict_says_who_judged_where(noisy: Stages) -> None:
    found = repeated(noisy, code=1)
    assert found["verdict"]["author"] == "Ada Lovelace <ada@example.org>"
    assert found["verdict"]["host"]["system"]
    shown = noisy.tally("show", found["id"].removeprefix("blake3:")[:12]).out
    assert "by           Ada Lovelace" in shown
    assert "enforced" in shown


def test_a_shallow_clone_is_told_what_it_lacks(noisy: Stages, tmp_path: Path) -> None:
    commit = noisy.repo.git("rev-parse", "HEAD")
    noisy.repo.commit("One more")
    noisy.repo.git("clone", "--quiet", "--depth=1", f"file://{noisy.repo.path}", str(tmp_path / "clone"))
    for target in ("HEAD~1", commit):
        ran = noisy.tally("repro", "--trust", target, cwd=tmp_path / "clone", code=3)
        assert "git fetch --unshallow" in ran.err


def test_a_receipt_from_a_later_version_is_a_bad_record_that_says_so(noisy: Stages) -> None:
    receipt = noisy.receipt("noise") | {"tally": 2}
    noisy.repo.write("receipts/noise.json", json.dumps(receipt))
    noisy.repo.commit()
    assert "written by a later version of tally" in noisy.tally("repro", code=12).err


def test_runs_without_a_stage_in_common_can_not_explain_each_other(noisy: Stages) -> None:
    noisy.pipeline("stages: {other: {cmd: echo 1 > o, outs: [o]}}")
    noisy.tally("run")
    noisy.repo.git("rm", "--quiet", "receipts/noise.json")
    noisy.repo.commit()
    assert "no stage in common" in noisy.tally("repro", "HEAD~1", "--explain", "HEAD", code=3).err

"""The program as a whole: its commands, its global options, and what it makes of errors."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from tallystick import __version__
from tallystick.cli import main as program
from tallystick.cli.main import SECTIONS, VERBS
from tallystick.errors import ObjectMissing, TallyError
from tests.sandbox import Repo, Tally


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Return a function that makes another the command `tally config`."""

    def make(work: Callable[[], None]) -> None:
        monkeypatch.setattr("tallystick.cli.config.command", click.Command("config", callback=work))

    return make


def _raise(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


def test_help_lists_every_command_by_what_a_person_wants_to_do(tally: Tally) -> None:
    shown = tally("--help").out
    places = [shown.index(f"{section}:\n") for section in SECTIONS]
    assert places == sorted(places)
    assert all(f"  {name} " in shown for name in VERBS)
    assert max(map(len, shown.splitlines())) <= 80


def test_no_command_at_all_is_wrong_usage_and_shows_the_help(tally: Tally) -> None:
    ran = tally(code=2)
    assert ran.out == ""
    assert ran.err.startswith("Usage: tally")


@pytest.mark.parametrize("name", VERBS)
def test_the_summary_in_the_table_is_the_commands_own(name: str) -> None:
    command = program.program.get_command(click.Context(program.program), name)
    assert command is not None
    assert (command.help or "").split("\n\n")[0].replace("\n", " ") == VERBS[name].summary


@pytest.mark.parametrize("name", VERBS)
def test_every_command_has_the_global_options_once(name: str) -> None:
    for _ in range(2):
        command = program.program.get_command(click.Context(program.program), name)
        assert command is not None
        options = [option for parameter in command.params for option in parameter.opts]
        assert len(options) == len(set(options))
        assert {"-C", "-q", "-v", "--json"} <= set(options)


def test_the_version_is_printed_with_and_without_the_short_cut(tally: Tally) -> None:
    assert tally("--version").out == tally.process("--version").out == f"tally {__version__}\n"


def test_an_unknown_command_is_wrong_usage(tally: Tally) -> None:
    ran = tally("stauts", code=2)
    assert ran.err == "error: there is no command `stauts`\nhint: did you mean `tally status`?\n"
    assert ran.out == ""
    assert "see `tally --help`" in tally("xyzzy", code=2).err


def test_an_unknown_option_names_the_help_that_says_more(tally: Tally) -> None:
    ran = tally("config", "--nonsense", code=2)
    assert "error: No such option" in ran.err
    assert "hint: see `tally config --help`" in ran.err


def test_a_file_that_looks_like_an_option_gets_the_word_that_helps(tally: Tally, project: Repo) -> None:
    project.write("-data")
    assert "stands after ` -- `" in tally("add", "-data", code=2).err
    assert tally("add", "--", "-data").out.startswith("added      -data")


def test_an_error_is_a_sentence_and_a_hint_on_stderr(tally: Tally, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = tally("config", cwd=tmp_path / "empty", code=10)
    assert ran.out == ""
    first, second = ran.err.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("hint: ")


def test_with_json_an_error_is_an_object(tally: Tally, verb: Callable[..., None]) -> None:
    verb(_raise(ObjectMissing("gone", [b"\x01"], ["origin"], hint="push it")))
    error = json.loads(tally("config", "--json", code=13).err)["error"]
    assert error == {
        "kind": "ObjectMissing",
        "exit_code": 13,
        "message": "gone",
        "hint": "push it",
        "digests": ["%01"],
        "places": ["origin"],
    }


def test_wrong_usage_is_an_object_too(tally: Tally) -> None:
    error = json.loads(tally("config", "--json", "--nonsense", code=2).err)["error"]
    assert error["kind"] == "WrongUsage"


def test_what_follows_a_double_dash_is_not_ours(tally: Tally) -> None:
    assert tally("stauts", "--", "--json", code=2).err.startswith("error: ")


def test_global_options_count_before_and_after_the_command(
    tally: Tally, project: Repo, tmp_path: Path
) -> None:
    where = str(project.path)
    before = tally("-C", where, "--json", "config", "core.repository", cwd=tmp_path).json()
    after = tally("config", "core.repository", "--json", "-C", where, cwd=tmp_path).json()
    assert before == after


def test_directories_add_up_as_in_git(tally: Tally, project: Repo) -> None:
    folder, name = project.path.parent, project.path.name
    assert tally("-C", str(folder), "config", "core.repository", "-C", name, cwd=Path("/")).out


def test_a_directory_that_is_none_is_wrong_usage(tally: Tally) -> None:
    assert "`-C nowhere` is not a directory" in tally("-C", "nowhere", "config", code=2).err


def test_a_message_of_several_lines_is_indented(tally: Tally, verb: Callable[..., None]) -> None:
    verb(_raise(TallyError("git said:\nno\x1b[2J")))
    assert tally("config", code=3).err == "error: git said:\n  no\\x1b[2J\n"


def test_verbose_tells_the_causes(tally: Tally, verb: Callable[..., None]) -> None:
    error = TallyError("the remote failed")
    error.__cause__ = OSError("connection reset")
    verb(_raise(error))
    assert "caused by" not in tally("config", code=3).err
    assert "caused by: OSError: connection reset" in tally("-v", "config", code=3).err


def test_an_unexpected_error_is_one_line_and_a_log(
    tally: Tally, verb: Callable[..., None], sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(sandbox))
    verb(_raise(ZeroDivisionError("division by zero")))
    ran = tally("config", code=255)
    assert ran.err.startswith("error: internal error: ZeroDivisionError: division by zero\nhint: ")
    (log,) = sandbox.glob("tally-*.log")
    assert str(log) in ran.err
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_the_log_lies_in_the_project_once_that_is_open(
    tally: Tally, project: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.cli.config.config", _raise_for_any(KeyError("x")))
    tally("config", code=255)
    assert list((project.path / ".git/tally/logs").glob("tally-*.log"))


def _raise_for_any(error: BaseException) -> Callable[..., None]:
    def work(*_args: object) -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (OSError(28, "No space left on device"), 3, "no space is left"),
        (PermissionError(13, "Permission denied", "data/x"), 3, "`data/x`: Permission denied"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
        (SystemExit(4), 4, ""),
        (BrokenPipeError(), 141, ""),
        (RecursionError(), 255, "internal error: RecursionError"),
    ],
)
def test_every_error_has_its_exit_code(
    tally: Tally, verb: Callable[..., None], error: BaseException, code: int, text: str
) -> None:
    verb(_raise(error))
    assert text in tally("config", code=code).err


def test_an_interruption_says_how_to_go_on(tally: Tally, verb: Callable[..., None]) -> None:
    verb(_raise(KeyboardInterrupt()))
    assert tally("config", code=130).err == "error: interrupted\nhint: run the same command again to finish\n"


def test_a_reader_that_goes_away_is_no_error(project: Repo) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tallystick", "config"], cwd=project.path, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


WAIT = """
import sys, time, click, tallystick.cli.config as config
from tallystick.__main__ import main
def work():
    try:
        print("ready", flush=True)
        time.sleep(600)
    finally:
        print("cleaned", flush=True)
config.command = click.Command("config", callback=work)
sys.argv = ["tally", "config"]
raise SystemExit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_the_work_clean_up(number: signal.Signals) -> None:
    command = [sys.executable, "-c", WAIT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "cleaned\n"), err
    assert err.startswith("error: interrupted")


def test_a_group_without_a_command_names_those_there_are(tally: Tally) -> None:
    said = tally("export", code=2).err
    assert said == "error: `tally export` needs a command: mlflow\nhint: see `tally export --help`\n"


def test_git_finds_the_program_as_a_command_of_its_own(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    assert repo.git("tally", "--version") == f"tally {__version__}"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["config", "--version"])
def test_a_closed_stream_is_as_good_as_none(project: Repo, closed: str, words: str) -> None:
    script = f'"$1" -m tallystick {words} {closed}'
    done = subprocess.run(["sh", "-c", script, "sh", sys.executable], cwd=project.path, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")

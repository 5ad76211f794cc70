"""What the user sees of an error: a sentence, a hint, an exit code; a log if it is our fault."""

import contextlib
import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from tallystick.cli.context import Context
from tallystick.cli.render import print_lines, to_json
from tallystick.cli.text import style
from tallystick.errors import DiskFull, NotTrusted, Refused, TallyError, WrongUsage
from tallystick.files import create_exclusive
from tallystick.records.secrets import Redactor

INTERRUPTED = 130
OUR_FAULT = 255
PIPE_CLOSED = 141
"""What a shell reports of a program that the end of a pipe stopped."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

_MOST_COMMANDS = 20


def exit_code_of(error: BaseException, current: Context, arguments: Sequence[str]) -> int:
    """Say on stderr what went wrong and return the exit code for it."""
    as_json = current.json or "--json" in _own(arguments)
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case SystemExit():
            return error.code if isinstance(error.code, int) else int(error.code is not None)
        case BrokenPipeError():
            _drop_stdout()
            return PIPE_CLOSED
        case KeyboardInterrupt() | click.Abort():
            stopped = TallyError("interrupted", hint="run the same command again to finish")
            return _print(stopped, INTERRUPTED, as_json)
    known = _translated(error, arguments)
    if known is not None:
        return _print(known, known.exit_code, as_json, verbose=current.verbose)
    return _print(_our_fault(error, current), OUR_FAULT, as_json)


def _own(arguments: Sequence[str]) -> Sequence[str]:
    """The arguments that are ours: those before a stage's command."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _translated(error: BaseException, arguments: Sequence[str]) -> TallyError | None:
    """The error as one that is expected; None if it is not."""
    match error:
        case TallyError():
            return error
        case click.exceptions.NoArgsIsHelpError(ctx=click.Context(command=click.Group() as group) as context):
            known = ", ".join(group.list_commands(context))
            return WrongUsage(f"`{context.command_path}` needs a command: {known}", hint=_usage(error))
        case click.NoSuchOption() if any(map(_is_dashed_file, arguments)):
            return WrongUsage(error.format_message(), hint="a path that begins with `-` stands after ` -- `")
        case click.UsageError():
            return WrongUsage(error.format_message(), hint=_usage(error))
        case click.ClickException():
            return WrongUsage(error.format_message())
        case OSError(errno=number) if number in _NO_ROOM:
            return DiskFull(f"no space is left: {error}", hint="free some space and repeat the command")
        case OSError(strerror=reason, filename=str() | bytes() as name) if reason:
            return Refused(f"`{os.fsdecode(name)}`: {reason}")
    return None


def _is_dashed_file(argument: str) -> bool:
    """Whether an argument that looks like an option is the name of a file."""
    return argument.startswith("-") and os.path.lexists(argument)


def _usage(error: click.UsageError) -> str | None:
    """Where to read how the command is called."""
    return f"see `{error.ctx.command_path} --help`" if error.ctx is not None else None


def _our_fault(error: BaseException, current: Context) -> TallyError:
    """The error of an error that nobody expected, after writing down what is known about it."""
    sentence = f"internal error: {type(error).__name__}: {error}".splitlines()[0]
    text = "".join(traceback.format_exception(error))
    for folder in _log_folders(current):
        with contextlib.suppress(OSError, TallyError):
            log = folder / f"tally-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
            if create_exclusive(log, text.encode("utf-8", "backslashreplace"), 0o600):
                return TallyError(sentence, hint=f"this is a fault in tally; please report it with `{log}`")
    return TallyError(f"{sentence}\n{text}")


def _log_folders(current: Context) -> Iterator[Path]:
    if current.opened is not None:
        yield current.opened.home / "logs"
    yield Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - a new name, never followed


def _print(error: TallyError, code: int, as_json: bool, *, verbose: bool = False) -> int:
    """Write an error to stderr and return its exit code; a reader that has gone is no second error."""
    redactor = Redactor.of(os.environ)
    with contextlib.suppress(OSError, ValueError):
        if as_json:
            told = _redacted({"error": _as_object(error, code)}, redactor)
            sys.stderr.write(json.dumps(told, indent=2) + "\n")
        else:
            print_lines(map(redactor.text, _as_lines(error, verbose)), sys.stderr)
        sys.stderr.flush()
    return code


def _redacted(value: object, redactor: Redactor) -> object:
    """What JSON can say, without secrets: errors name commands and addresses, and are often posted."""
    if isinstance(value, str):
        return redactor.text(value)
    if isinstance(value, dict):
        return {key: _redacted(item, redactor) for key, item in value.items()}
    return [_redacted(item, redactor) for item in value] if isinstance(value, list | tuple) else value


def _as_lines(error: TallyError, verbose: bool) -> Iterator[str]:
    first, *more = error.message.splitlines() or [type(error).__name__]
    yield f"{style('error:', 'bad')} {first}"
    yield from (f"  {line}" for line in more)
    if isinstance(error, NotTrusted):
        yield from _commands(error.commands)
    cause = error.__cause__
    while verbose and cause is not None:
        yield f"caused by: {type(cause).__name__}: {cause}"
        cause = cause.__cause__
    if error.hint:
        yield f"{style('hint:', 'changed')} {error.hint}"


def _commands(commands: Sequence[str]) -> Iterator[str]:
    """What would have run: nobody can allow what they haven't seen."""
    yield from (f"  {command}" for command in commands[:_MOST_COMMANDS])
    if len(commands) > _MOST_COMMANDS:
        yield f"  and {len(commands) - _MOST_COMMANDS:,} more: `tally run --dry-run --force` shows them all"


def _as_object(error: TallyError, code: int) -> dict[str, object]:
    kind = {INTERRUPTED: "Interrupted", OUR_FAULT: "InternalError"}.get(code, type(error).__name__)
    return {"kind": kind, "exit_code": code, **{name: to_json(value) for name, value in vars(error).items()}}


def _drop_stdout() -> None:
    """Let the interpreter's last flush of stdout go nowhere instead of complaining."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)

"""Shows a result as text or as JSON; the only place that writes to stdout."""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TextIO, TypeVar

import click

from tallystick.cli.context import Context, is_terminal
from tallystick.cli.text import COLOUR, harmless, total_text
from tallystick.digest import Digest
from tallystick.paths import quote_path

Result = TypeVar("Result")


class Total(NamedTuple):
    """How much a command was about, counted in `one`s; of the bytes as many as `moved` were `done`."""

    number: int
    one: str
    size: int
    moved: int
    done: str


def show(current: Context, result: Result, text: Callable[[Result], Iterable[str]]) -> None:
    """Print what a command was asked for: its lines, or with `--json` the result itself."""
    if current.json:
        print_json(to_json(result))
    else:
        print_lines(text(result))


def report(
    current: Context,
    result: Result,
    text: Callable[[Result], Iterable[str]],
    total: Callable[[Result], Total | None] | None = None,
) -> None:
    """Print what a command did; with `--quiet` only where it is asked for as JSON. A `total` comes last."""
    if current.json or not current.quiet:
        show(current, result, text)
    summed = total(result) if total is not None and not (current.json or current.quiet) else None
    if summed is not None:
        seconds = time.monotonic() - current.started
        print_lines([total_text(*summed, seconds)])


def finish(code: int) -> None:
    """End the command with an exit code; 0 goes on."""
    if code:
        click.get_current_context().exit(code)


def say(current: Context, message: str) -> None:
    """Print a remark for the user to stderr, unless quiet."""
    if not current.quiet:
        print_lines([message], sys.stderr)


def print_lines(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Print lines, made harmless, with colours only where a person sees them."""
    target = sys.stdout if stream is None else stream
    colour = is_terminal(target) and not os.environ.get("NO_COLOR")
    for line in lines:
        # A name may hold a line's end, and must not pass for a line of ours.
        shown = harmless(line).replace("\n", "\\n")
        target.write(_encodable(shown if colour else COLOUR.sub("", shown), target) + "\n")


def print_json(value: object) -> None:
    """Print a plain value as JSON."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, indent=2, ensure_ascii=not utf8, allow_nan=False)
    # A name that is not UTF-8 holds lone surrogates; their escape is JSON's own.
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def to_json(value: Any) -> Any:
    """Turn a result into plain values: fields by name, digests and paths as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, Digest):
        return str(value)
    if isinstance(value, bytes):
        return quote_path(value).decode()
    if dataclasses.is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return _container_to_json(value)


def _container_to_json(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: to_json(part) for name, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(to_json(name)): to_json(part) for name, part in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(to_json, value), key=str)
    if isinstance(value, Iterable):
        return [to_json(part) for part in value]
    return str(value)


def _encodable(line: str, stream: TextIO) -> str:
    """Escape what the stream's encoding has no bytes for."""
    encoding = stream.encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)

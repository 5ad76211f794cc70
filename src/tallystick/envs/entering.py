"""Which environments a command enters before it starts anything, read from its words."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence

from tallystick.frozen import dataclass
from tallystick.patterns import regex

_CONDAS = frozenset({"conda", "mamba", "micromamba"})
_VALUED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        _CONDAS,
        frozenset({"-n", "--name", "-p", "--prefix", "-r", "--root-prefix", "--cwd", "-e", "--env", "-a"}),
    ),
    "hatch": frozenset({"-e", "--env", "-p", "--project", "--data-dir", "--cache-dir", "--config"}),
    "pdm": frozenset({"-p", "--project", "--venv", "-c", "--config"}),
    "pipenv": frozenset({"--python", "--pypi-mirror"}),
    "pixi": frozenset({"-e", "--environment", "--manifest-path", "-m"}),
    "poetry": frozenset({"-C", "--directory", "-P", "--project"}),
    "rye": frozenset({"--pyproject"}),
    "uv": frozenset(
        {
            "--with",
            "--with-editable",
            "--with-requirements",
            "--extra",
            "--group",
            "--only-group",
            "--no-extra",
        }
        | {"--no-group", "--env-file", "-p", "--python", "--project", "--directory", "--package", "--index"}
        | {"--default-index", "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--cache-dir"}
    ),
}
"""Tools that start a program in an environment of theirs, and which of their options take a value."""

TOOLS = frozenset(_VALUED)

_PLAIN = regex(r"[A-Za-z0-9_./:,@=%+ -]*")
_NAMES = ("-n", "--name", "-e", "--env", "--environment", "--venv")
_PLACES = ("-p", "--prefix")
_FOLDERS = ("--project", "--directory", "-C", "-P", "--manifest-path", "--pyproject")
_SOURCES = {".", "source"}
ACTIVATE = "activate"
"""What is said instead of a tool's name where a script of an environment itself is read by the shell."""


@dataclass(frozen=True, slots=True)
class Entry:
    """That a command enters an environment: by which tool, which one, of the project in which folder.

    `place` is the environment's folder, where that is what the words say; `begins` is where the words of the
    program begin that runs in it.
    """

    tool: str
    name: str = ""
    place: str = ""
    folder: str = ""
    begins: int = 0


def options_with_values(tool: str) -> frozenset[str]:
    """The options of a tool that take a value."""
    return _VALUED[tool]


def words_of(cmd: str | Sequence[str]) -> list[str]:
    """The words of a command, with what separates programs among them."""
    if not isinstance(cmd, str):
        return list(cmd)
    if _PLAIN.fullmatch(cmd):
        # Nothing that a shell would read otherwise: most commands, and there may be thousands.
        return cmd.split()
    lexer = shlex.shlex(cmd.replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        # An unclosed quote: the shell will say so; here any guess is as good.
        return cmd.split()


def enters_by_tool(cmd: str | Sequence[str]) -> bool:
    """Whether a command enters an environment by a tool, not by a script of the environment itself."""
    return any(entry.tool in TOOLS for entry in entries(words_of(cmd)))


def entries(words: Sequence[str]) -> Iterator[Entry]:
    """The environments that a command enters before it starts anything, in order."""
    for number, word in enumerate(words):
        tool = os.path.basename(word)
        if word in _SOURCES:
            yield from _sourced(words, number + 1)
        elif tool in TOOLS and (found := _entered(tool, words, number + 1)) is not None:
            yield found


def _sourced(words: Sequence[str], at: int) -> Iterator[Entry]:
    """`. .venv/bin/activate`, and `source activate name` as conda had it once."""
    script = words[at] if at < len(words) else ""
    if script.endswith("/bin/activate"):
        named = words[at + 1] if at + 1 < len(words) else ""
        place = os.path.dirname(os.path.dirname(script))
        # The script of conda itself takes the environment's name; that of an environment takes nothing.
        if _is_word(named):
            yield _named("conda", named, at + 2)
        else:
            yield Entry(ACTIVATE, place=place, begins=at + 1)
    elif script == ACTIVATE and at + 1 < len(words):
        yield _named("conda", words[at + 1], at + 2)


def _entered(tool: str, words: Sequence[str], at: int) -> Entry | None:
    before, at = _options(tool, words, at)
    verb = words[at] if at < len(words) else ""
    after, at = _options(tool, words, at + 1)
    options = {**before, **after}
    if verb == ACTIVATE and tool in _CONDAS:
        named = words[at] if at < len(words) and _is_word(words[at]) else "base"
        return _named(tool, named, at + 1)
    if verb != "run":
        return None
    name = _first(options, _NAMES)
    place = _first(options, _PLACES) if tool in _CONDAS else ""
    folder = _first(options, _FOLDERS) or (_first(options, _PLACES) if tool in ("hatch", "pdm") else "")
    if tool == "hatch" and at < len(words) and ":" in words[at]:
        name = words[at].partition(":")[0]
    return Entry(tool, name, place, folder, at)


def _options(tool: str, words: Sequence[str], at: int) -> tuple[dict[str, str], int]:
    """The options that begin at a word, and where they end."""
    found: dict[str, str] = {}
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        name, equals, value = words[at].partition("=")
        at += 1
        if name == "--":
            break
        if not equals and name in _VALUED[tool] and at < len(words):
            value = words[at]
            at += 1
        found[name] = value
    return found, at


def _first(options: Mapping[str, str], names: Sequence[str]) -> str:
    return next((options[name] for name in names if options.get(name)), "")


def _named(tool: str, text: str, begins: int) -> Entry:
    """An environment of conda's, which a slash tells from a name."""
    if "/" in text:
        return Entry(tool, place=text, begins=begins)
    return Entry(tool, name=text, begins=begins)


def _is_word(text: str) -> bool:
    return bool(text) and (text[0].isalnum() or text[0] in "._~/") and text != "."

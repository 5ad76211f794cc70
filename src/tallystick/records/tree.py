"""The tree: one canonical text for a folder's content, equal for equal folders on every machine."""

import re
import unicodedata
from binascii import Error as NotHex
from binascii import unhexlify
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import itemgetter, lt
from typing import NamedTuple, NoReturn

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.paths import check_path_bytes, quote_path, unquote_path

LIMIT = 2 << 30
"""Bytes of a tree's text: more than ten million files."""

EMPTY = Digest.of(b"")
"""What an empty folder has in place of a content's digest."""

_LINE = re.compile(rb"^(?:([fxl]) blake3:(.{64}) (0|[1-9][0-9]{0,18})|d - 0) (.+)$", re.MULTILINE)
_EMPTY_HEX = EMPTY.hex().encode()
_MODES = frozenset("fxld")

_PLAIN_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~@=+,# /\n"
_STARTS = (b".", b"/", b"\n", b" ", b"con", b"prn", b"aux", b"nul", b"com", b"lpt", b"git~")
_ENDS = (b"./", b".\n", b" /", b" \n")
_SUSPECTS = (*(edge + word for edge in (b"/", b"\n") for word in _STARTS), *_ENDS)
"""What speaks against a hundred thousand paths being plain, joined by line breaks and in lower case."""


class Entry(NamedTuple):
    """One file, executable, symbolic link or empty folder (`f`, `x`, `l`, `d`) below the tree's root.

    A link's content is its target; an empty folder has the digest of no bytes and size 0.
    """

    mode: str
    digest: Digest
    size: int
    path: bytes


def render(entries: Iterable[Entry]) -> bytes:
    """Write a tree; raise BadRecord for what `parse` would not read again."""
    ordered = sorted(entries, key=itemgetter(3))
    paths = [entry.path for entry in ordered]
    _check_fields(ordered)
    _check_paths(paths, "")
    _check_order(paths, "")
    lines = [
        f"{mode} blake3:{digest.hex()} {size} {text}\n" if mode != "d" else f"d - 0 {text}\n"
        for (mode, digest, size, _), text in zip(ordered, _quoted(paths), strict=True)
    ]
    return "".join(lines).encode()


def _check_fields(entries: Sequence[Entry]) -> None:
    if not {entry.mode for entry in entries} <= _MODES:
        raise BadRecord("a tree's entry has an unknown mode")
    if any(len(digest) != 32 or not 0 <= size < 10**19 for _, digest, size, _ in entries):
        raise BadRecord("a tree's entry has a bad digest or size")
    if any(mode == "d" and (size or digest != EMPTY) for mode, digest, size, _ in entries):
        raise BadRecord("a tree's empty folder has a content")


def _quoted(paths: Sequence[bytes]) -> list[str]:
    joined = b"\n".join(paths)
    # Quoting looks at each path; most trees need none, which one look at all of them can tell.
    if (
        joined.isascii()
        and joined.count(b"\n") == len(paths) - 1
        and joined.translate(None, _PLAIN_BYTES) == b""
    ):
        return joined.decode().split("\n")
    return [quote_path(path).decode() for path in paths]


def parse(data: bytes, source: str = "") -> list[Entry]:
    """Read a tree; raise BadRecord unless it is exactly what `render` writes."""
    if len(data) > LIMIT:
        raise BadRecord(f"larger than the {LIMIT:,} bytes that a tree may have", source)
    rows: list[tuple[bytes, bytes, bytes, bytes]] = _LINE.findall(data)
    if data[-1:] not in (b"\n", b"") or data.count(b"\n") != len(rows):
        _complain(data, source)
    try:
        digests = _digests([row[1] for row in rows])
    except ValueError:
        _complain(data, source)
    paths = [row[3] for row in rows]
    if b"%" in data or not data.isascii():
        paths = [unquote_path(path, source, line) for line, path in enumerate(paths, 1)]
    _check_paths(paths, source)
    _check_order(paths, source)
    modes = [row[0].decode() or "d" for row in rows]
    sizes = [int(row[2] or b"0") for row in rows]
    return list(map(Entry, modes, digests, sizes, paths))


def _digests(texts: list[bytes]) -> list[Digest]:
    """Many hex texts at once; an empty one stands for an empty folder. Raises ValueError."""
    digits = b"".join([text or _EMPTY_HEX for text in texts])
    if digits != digits.lower():
        raise ValueError("upper-case hex digits")
    raw = unhexlify(digits)
    return [Digest(raw[position : position + 32]) for position in range(0, len(raw), 32)]


def _complain(data: bytes, source: str) -> NoReturn:
    """Find the line that is not a tree's, and raise BadRecord about it."""
    for line, text in enumerate(data.split(b"\n"), 1):
        match = _LINE.fullmatch(text)
        try:
            sound = match is not None and bool(_digests([match[2] or b""]))
        except NotHex:
            sound = False
        except ValueError:
            sound = False
        if not sound:
            reason = "truncated: a line is wanted" if not text else f"not a tree's entry: {text[:120]!r}"
            raise BadRecord(reason, source, line)
    raise BadRecord("truncated: the last line has no end", source)


def _check_paths(paths: Sequence[bytes], source: str) -> None:
    """Check every path (rule P1): all at once, and one by one only where that raises a suspicion."""
    joined = b"\n" + b"\n".join(paths).lower() + b"\n"
    plain = not joined.translate(None, _PLAIN_BYTES) and max(map(len, paths), default=0) <= 255
    # A path that holds a line break would hide in the joined text.
    if plain and joined.count(b"\n") == len(paths) + 1 and not any(word in joined for word in _SUSPECTS):
        return
    for line, path in enumerate(paths, 1):
        check_path_bytes(path, source, line)


def _check_order(paths: Sequence[bytes], source: str) -> None:
    """Sorted, no path twice, and nothing below what is no folder or is said to be empty."""
    if not all(map(lt, paths, islice(paths, 1, None))):
        line = next(
            i
            for i, (one, two) in enumerate(zip(paths, islice(paths, 1, None), strict=False), 2)
            if one >= two
        )
        raise BadRecord(f"a tree must be sorted, each path once: {paths[line - 1][:120]!r}", source, line)
    clash = _folders(paths).intersection(paths)
    if clash:
        first = min(clash)
        raise BadRecord(
            f"a tree has entries below {first[:120]!r}, which is no folder", source, paths.index(first) + 1
        )


def _folders(paths: Iterable[bytes]) -> set[bytes]:
    """Every folder above any of the paths."""
    known: set[bytes] = set()
    todo = {path.rpartition(b"/")[0] for path in paths}
    while todo:
        known |= todo
        todo = {folder.rpartition(b"/")[0] for folder in todo} - known
    known.discard(b"")
    return known


def collisions(entries: Iterable[Entry]) -> list[tuple[bytes, ...]]:
    """Groups of paths that a file system without case, or with another Unicode form, takes for one."""
    paths = [entry.path for entry in entries]
    names = set(paths) | _folders(paths)
    if len({name.lower() for name in names}) == len(names) and all(name.isascii() for name in names):
        return []
    groups: defaultdict[str, list[bytes]] = defaultdict(list)
    for name in names:
        groups[_folded(name)].append(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def _folded(path: bytes) -> str:
    text = unicodedata.normalize("NFC", path.decode("utf-8", "surrogateescape"))
    return unicodedata.normalize("NFC", text.casefold())

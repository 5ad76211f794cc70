"""The tree: one canonical text for a folder's content, equal for equal folders on every machine."""

import re
import unicodedata
from binascii import Error as NotHex
from binascii import unhexlify
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from operator import itemgetter, lt
from struct import iter_unpack
from typing import NamedTuple, NoReturn

from tallystick.digest import Buffer, Digest
from tallystick.errors import BadRecord
from tallystick.paths import check_path_bytes, quote_path, unquote_path
from tallystick.patterns import regex

LIMIT = 2 << 30
"""Bytes of a tree's text: more than ten million files."""

EMPTY = Digest.of(b"")
"""What an empty folder has in place of a content's digest."""

_LINE = regex(rb"^(?:([fxl]) blake3:(.{64}) (0|[1-9][0-9]{0,18})|d - 0) (.+)$", re.MULTILINE)
_CONTENT = regex(rb"\n[fxl] blake3:(.{64}) ")
"""A line, after the break before it: looking for that is twice as fast as for the start of a line."""
_EMPTY_HEX = EMPTY.hex().encode()
_MODES = frozenset("fxld")
_MODE_OF = {b"f": "f", b"x": "x", b"l": "l", b"": "d"}
_DIGEST = 32
_BLOCK = 4096
"""How many lines are written at once."""

_PIECE = 1 << 20
"""How many bytes are read at once."""

_STRETCH = 1 << 12
"""How many bytes are passed over at once where two trees say the same."""

_PLAIN_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~@=+,# /\n"
_STARTS = (b".", b"/", b"\n", b" ", b"con", b"prn", b"aux", b"nul", b"com", b"lpt", b"git~")
_ENDS = (b"./", b".\n", b" /", b" \n")
_SUSPECTS = (*(edge + word for edge in (b"/", b"\n") for word in _STARTS), *_ENDS)
"""What speaks against a hundred thousand paths being plain, joined by line breaks and in lower case."""

_LETTERS = regex("[À-ÖØ-öø-ÿĀ-ıĴ-žΆ-ώА-џӐ-ӹ\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]*")
"""Letters that are visible, and that no file system takes for one of ASCII."""


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
    if not {entry.mode for entry in ordered} <= _MODES:
        raise BadRecord("a tree's entry has an unknown mode")
    if any(len(digest) != _DIGEST or not 0 <= size < 10**19 for _, digest, size, _ in ordered):
        raise BadRecord("a tree's entry has a bad digest or size")
    if any(mode == "d" and (size or digest != EMPTY) for mode, digest, size, _ in ordered):
        raise BadRecord("a tree's empty folder has a content")
    modes = "".join([entry.mode for entry in ordered]).encode()
    digests = b"".join([entry.digest for entry in ordered])
    paths = [entry.path for entry in ordered]
    return bytes(write(paths, modes, digests, [entry.size for entry in ordered]))


def write(paths: Sequence[bytes], modes: Buffer, digests: Buffer, sizes: Sequence[int]) -> bytearray:
    """Write a tree from columns: of a million files there need not be a million entries.

    Raises BadRecord for paths that `parse` would not read again.
    """
    # Block by block: what is made to look at a million at once takes more memory than they do.
    plain = all(_all_plain(paths[first : first + _BLOCK]) for first in range(0, len(paths), _BLOCK))
    if not plain:
        _check_paths(paths, "")
    _check_order(paths, "")
    text = bytearray()
    for start in range(0, len(paths), _BLOCK):
        block = slice(start, start + _BLOCK)
        names = paths[block] if plain else [quote_path(path) for path in paths[block]]
        digits = memoryview(digests)[start * _DIGEST : (start + _BLOCK) * _DIGEST].hex()
        hexes = [digits[at : at + 2 * _DIGEST] for at in range(0, len(digits), 2 * _DIGEST)]
        lines = [
            f"{mode} blake3:{digest} {size} {name.decode()}\n" if mode != "d" else f"d - 0 {name.decode()}\n"
            for mode, digest, size, name in zip(
                bytes(modes[block]).decode(), hexes, sizes[block], names, strict=True
            )
        ]
        text += "".join(lines).encode()
    return text


def parse(data: bytes, source: str = "") -> list[Entry]:
    """Read a tree; raise BadRecord unless it is exactly what `render` writes."""
    if len(data) > LIMIT:
        raise BadRecord(f"larger than the {LIMIT:,} bytes that a tree may have", source)
    if data[-1:] not in (b"\n", b""):
        _complain(data, source)
    entries: list[Entry] = []
    for start, end in _pieces(data):
        entries += _entries(data, start, end, len(entries), source)
    _check_order([entry.path for entry in entries], source)
    return entries


def _pieces(data: bytes, size: int = _PIECE) -> Iterator[tuple[int, int]]:
    """Where to cut a text between lines: what is made of all of a large one at once takes much memory."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + size) + 1 or len(data)
        yield start, end
        start = end


def _entries(data: bytes, start: int, end: int, before: int, source: str) -> Iterator[Entry]:
    """The entries of some whole lines, with so many before them."""
    rows: list[tuple[bytes, bytes, bytes, bytes]] = _LINE.findall(data, start, end)
    if data.count(b"\n", start, end) != len(rows):
        _complain(data, source)
    try:
        digests = _digests([row[1] for row in rows])
    except ValueError:
        _complain(data, source)
    paths = [row[3] for row in rows]
    if not _all_plain(paths):
        paths = [unquote_path(path, source, line) for line, path in enumerate(paths, before + 1)]
        _check_paths(paths, source, before)
    modes = [_MODE_OF[row[0]] for row in rows]
    sizes = [int(row[2] or b"0") for row in rows]
    # Straight from the rows: to call the class would take as long as all else.
    return map(tuple.__new__, repeat(Entry), zip(modes, digests, sizes, paths, strict=True))


def difference(
    before: bytes, after: bytes, source: str = "", *, in_order: bool = True
) -> tuple[list[Entry], list[Entry]] | None:
    """The entries that only one of two trees' texts has: the first's, the second's.

    What both say is not read, but for its order, and not even for that unless it matters whether all is
    `in_order`. None if that takes reading both; raises BadRecord for an entry of one alone that is none.
    """
    if b"%" in before or b"%" in after or before[-1:] not in (b"\n", b""):
        return None
    gone, came = set[bytes](), set[bytes]()
    done, last = 0, b""
    for start, end in _pieces(after, _PIECE if in_order else _STRETCH):
        if not in_order and before.startswith(after[start:end], done):
            done += end - start
            continue
        new = after[start:end].split(b"\n")
        rest = new.pop()
        paths = [last, *map(_path_in, new)]
        if rest or not all(map(lt, paths, islice(paths, 1, None))):
            parse(after, source)
            return None
        last = paths[-1]
        until = done + end - start
        if not before.endswith(b" %s\n" % last, done, until):
            until = _line_after(last, before, done)
        old = before[done:until].split(b"\n")
        old.pop()
        if old != new:
            gone.update(set(old).difference(new))
            came.update(set(new).difference(old))
        done = until
    gone.update(before[done:].split(b"\n")[:-1])
    # Nothing is in both, unless the first is not sorted.
    both = gone & came
    return parse(_text(gone - both), source), parse(_text(came - both), source)


def _line_after(path: bytes, text: bytes, start: int) -> int:
    """Where, from one line on, the first begins that names a later path."""
    end = len(text)
    while start < end:
        begin = max(start, text.rfind(b"\n", start, (start + end) // 2) + 1)
        stop = text.index(b"\n", begin)
        if _path_in(text[begin:stop]) <= path:
            start = stop + 1
        else:
            end = begin
    return end


def _path_in(line: bytes) -> bytes:
    """What stands last in a line: nothing in it is quoted."""
    return line.split(b" ", 3)[-1]


def _text(lines: Iterable[bytes]) -> bytes:
    return b"".join([line + b"\n" for line in sorted(lines, key=_path_in)])


def contents(data: bytes, source: str = "") -> set[bytes]:
    """The digests of all that a tree names, without the paths, which nobody checks here.

    They are plain bytes: to make a Digest of each would take as long as all else.
    """
    found: set[bytes] = set()
    for start, end in _pieces(data):
        texts = _CONTENT.findall(data, start - 1, end) if start else _CONTENT.findall(b"\n" + data[:end])
        if len(texts) != data.count(b"\n", start, end):
            return {entry.digest for entry in parse(data, source) if entry.mode != "d"}
        try:
            found.update(_raw_digests(texts))
        except ValueError:
            _complain(data, source)
    return found


def _digests(texts: list[bytes]) -> list[Digest]:
    """Many hex texts at once; an empty one stands for an empty folder. Raises ValueError."""
    return list(map(Digest, _raw_digests([text or _EMPTY_HEX for text in texts])))


def _raw_digests(texts: list[bytes]) -> Iterator[bytes]:
    """The same as plain bytes, where no text is empty."""
    digits = b"".join(texts)
    if digits != digits.lower():
        raise ValueError("upper-case hex digits")
    return chain.from_iterable(iter_unpack("32s", unhexlify(digits)))


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
            reason = f"not a tree's entry: {text[:120]!r}"
            raise BadRecord(reason, source, line)
    raise BadRecord("truncated: the last line has no end", source)


def _all_plain(paths: Sequence[bytes]) -> bool:
    """Whether every path is safe and needs no quotes, by one look at all of them; no may mean perhaps."""
    joined = b"\n" + b"\n".join(paths).lower() + b"\n"
    try:
        joined.decode()
        rest = joined.translate(None, _PLAIN_BYTES).decode()
    except UnicodeDecodeError:
        return False
    if max(map(len, paths), default=0) > 255 or _LETTERS.fullmatch(rest) is None:
        return False
    # A path that holds a line break would hide in the joined text.
    return joined.count(b"\n") == len(paths) + 1 and not any(word in joined for word in _SUSPECTS)


def _check_paths(paths: Sequence[bytes], source: str, before: int = 0) -> None:
    """Check every path (rule P1), so many lines before them."""
    for line, path in enumerate(paths, before + 1):
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


def collisions(paths: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Groups of paths that a file system without case, or with another Unicode form, takes for one."""
    joined = b"\0".join(paths)
    if joined.isascii() and joined.lower() == joined:
        return []
    names = set(paths) | _folders(paths)
    if len({name.lower() for name in names}) == len(names) and joined.isascii():
        return []
    groups: defaultdict[str, list[bytes]] = defaultdict(list)
    for name in names:
        groups[_folded(name)].append(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def _folded(path: bytes) -> str:
    text = unicodedata.normalize("NFC", path.decode("utf-8", "surrogateescape"))
    return unicodedata.normalize("NFC", text.casefold())

"""Which paths from a record may be written to: one rule, stricter than git's (rule P1)."""

import re
import unicodedata
from functools import lru_cache

from tallystick.errors import BadRecord
from tallystick.patterns import regex

LONGEST_PART = 255
LONGEST_PATH = 4096
DEEPEST = 128

_PLAIN = regex(
    rb"(?!/)(?:(?:^|/)(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|$)|git~1)[a-z0-9_~@=+,#-]"
    rb"(?:[a-z0-9_~@=+,#.-]{0,60}[a-z0-9_~@=+,#-])?){1,32}",
    re.IGNORECASE,
)
"""Paths that need no second look: almost all that there are."""

_RESERVED = regex(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
"""Names that Windows gives to devices, whatever their suffix."""

_FORBIDDEN = {".git", "git~1", ".tally"}

_CONTROL = regex(rb"[\x00-\x1f\x7f%]")
_QUOTED = regex(rb"%([0-9A-F]{2})")


@lru_cache(maxsize=1 << 15)  # a pipeline, its last receipt and the next one name the same ten thousand
def is_plain(text: str) -> bool:
    """Whether a path is one of almost all, that need no closer look; no may mean perhaps."""
    return text.isascii() and _PLAIN.fullmatch(text.encode()) is not None


def check_path(text: str, source: str = "", line: int | None = None) -> str:
    """Return a relative posix path unchanged, or raise BadRecord saying what is wrong with it."""
    check_path_bytes(text.encode("utf-8", "surrogateescape"), source, line)
    return text


def check_path_bytes(path: bytes, source: str = "", line: int | None = None) -> None:
    """Check a path as bytes: the names of files need not be UTF-8."""
    reason = _objection(path)
    if reason is not None:
        shown = path[:120].decode("utf-8", "backslashreplace")
        raise BadRecord(f"unsafe path {shown!r}: {reason}", source, line)


def check_name(text: str, source: str = "", line: int | None = None) -> str:
    """Like `check_path`, for a name that is a single part."""
    if "/" in text:
        raise BadRecord(f"unsafe path {text[:120]!r}: a single name is wanted", source, line)
    return check_path(text, source, line)


def _objection(path: bytes) -> str | None:
    """What speaks against a path."""
    if _PLAIN.fullmatch(path) is not None:
        return None
    if not path:
        return "it is empty"
    if len(path) > LONGEST_PATH:
        return f"it is longer than {LONGEST_PATH} bytes"
    if path.startswith(b"/"):
        return "it is absolute"
    parts = path.split(b"/")
    if len(parts) > DEEPEST:
        return f"it is deeper than {DEEPEST} folders"
    return next((reason for part in parts if (reason := _objection_to_part(part))), None)


def _objection_to_part(part: bytes) -> str | None:
    """What speaks against one part of a path."""
    if len(part) > LONGEST_PART:
        return f"a part is longer than {LONGEST_PART} bytes"
    if part in (b"", b".", b".."):
        return f"it has a part {part.decode()!r}"
    if b"\0" in part:
        return "it holds a NUL byte"
    if b"\\" in part:
        return "it holds a backslash"
    text = _folded(part.decode("utf-8", "surrogateescape"))
    # On Windows a colon begins the name of a stream: `.git:x` writes to `.git`. Timestamps may keep theirs.
    if text.partition(":")[0] in _FORBIDDEN or not text:
        return "it leads into a folder that belongs to git or tally"
    if _RESERVED.fullmatch(text):
        return "it is a reserved name on Windows"
    return None


def _folded(text: str) -> str:
    """A name as the most forgiving file systems see it: no case, nothing invisible, no dots at its end."""
    visible = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", visible.casefold()).rstrip(". ")


def quote_path(path: bytes) -> bytes:
    """Percent-quote what would make a line of text ambiguous: control characters, `%`, invalid UTF-8."""
    if _CONTROL.search(path) is None:
        if path.isascii():
            return path
        try:
            path.decode("utf-8")
        except UnicodeDecodeError:
            return b"".join(_quoted_byte(c) for c in _with_surrogates(path))
        return path
    return b"".join(_quoted_byte(c) for c in _with_surrogates(path))


def _with_surrogates(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _quoted_byte(character: str) -> bytes:
    """One character as it stands in a quoted path."""
    data = character.encode("utf-8", "surrogateescape")
    invalid = "\udc80" <= character <= "\udcff"
    return b"%%%02X" % data[0] if invalid or _CONTROL.fullmatch(data) else data


def unquote_path(text: bytes, source: str = "", line: int | None = None) -> bytes:
    """Read a quoted path; raise BadRecord unless quoting it again gives the same text."""
    path = text if b"%" not in text else _QUOTED.sub(lambda match: bytes.fromhex(match[1].decode()), text)
    if quote_path(path) != text:
        raise BadRecord(f"path {text[:120]!r} is not quoted as it should be", source, line)
    return path

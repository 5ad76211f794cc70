"""A file of tensors in the making: arrays by name, and what is no number as texts."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

MOST = 100_000
"""Values that are told of one file."""

LONGEST_TEXT, LONGEST_NAME = 60, 300
METADATA = "__metadata__"


class Sheet:
    """All that is told of a value; no two parts of it have one name."""

    def __init__(self) -> None:
        self._arrays: dict[str, tuple[str, list[int], Any]] = {}
        self._texts: dict[str, str] = {}

    def text(self, path: str, text: str) -> None:
        """Add what is no number."""
        self._texts[self._name(path)] = _short(text)

    def numbers(self, path: str, kind: str, shape: list[int], data: Any) -> None:
        """Add numbers, as little-endian bytes."""
        self._arrays[self._name(path)] = (kind, shape, data)

    def write(self, file: Any) -> None:
        """Write all of it: a header that says where each array lies, then their bytes."""
        header: dict[str, Any] = {METADATA: self._texts}
        end = 0
        for name, (kind, shape, data) in self._arrays.items():
            size = memoryview(data).nbytes
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + size]}
            end += size
        text = json.dumps(header).encode()
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in self._arrays.values():
            file.write(data)

    def _name(self, path: str) -> str:
        """A name of its own for each value."""
        if len(self._arrays) + len(self._texts) >= MOST:
            raise ValueError("it holds too many values")
        plain = path or "value"
        if len(plain) > LONGEST_NAME:
            plain = plain[:LONGEST_NAME] + "… " + digest(plain.encode("utf-8", "backslashreplace"))
        name, number = plain, 1
        while name in self._arrays or name in self._texts or name == METADATA:
            number += 1
            name = f"{plain} #{number}"
        return name


def digest(data: bytes) -> str:
    """Enough of a digest to tell two texts apart."""
    return hashlib.sha256(data).hexdigest()[:16]


def _short(text: str) -> str:
    """A text for people; of a long one its beginning, and a digest of the whole."""
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:30]}… sha256 {digest(text.encode('utf-8', 'backslashreplace'))}"

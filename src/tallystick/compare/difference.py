"""How two files differ, in terms of what they hold: cells, keys, arrays, pixels, lines, or only bytes."""

import gzip
import importlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import BinaryIO

from tallystick.compare import arrays, delimited, keys, lines, pixels, safetensors
from tallystick.compare.content import compare_bytes
from tallystick.compare.numbers import Policy, reordered, rewritten
from tallystick.compare.pickled import SUFFIXES, UNREAD, Unpickle, compare_pickled
from tallystick.compare.shown import LARGEST, Only
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.records.values import suffix_of
from tallystick.records.verdict import Difference, Kind

MOST = 50
"""Differences that are named one by one."""

LAYOUT = "layout"
PACKED = ".gz"
NO_PARQUET = "`pip install 'tallystick[parquet]'` would tell rows and columns"

Compare = Callable[[BinaryIO, BinaryIO, Policy], Iterable[Difference] | Only]


@dataclass(frozen=True, slots=True)
class Found:
    """What a comparison found, in which terms; `only` where nothing but order or layout differs."""

    kind: Kind
    differences: tuple[Difference, ...]
    only: Only | None = None


def compare_files(
    path: str, expected: BinaryIO, actual: BinaryIO, tolerances: Policy, unpickle: Unpickle | None = None
) -> Found:
    """How a file differs from what was expected, going by its name; else as text, else as bytes.

    Pickles are looked into where somebody is given who may read them.
    """
    suffix = suffix_of(path)
    remark = UNREAD if suffix in SUFFIXES and unpickle is None else ""
    if suffix == PACKED:
        try:
            plain = (_unpacked(expected), _unpacked(actual))
            return compare_files(path[: -len(PACKED)], *plain, tolerances, unpickle)
        except BadRecord as error:
            remark = error.message
    for kind, compare in _ways(suffix, unpickle):
        expected.seek(0)
        actual.seek(0)
        try:
            return _found(kind, compare(expected, actual, tolerances), tolerances)
        except ImportError:
            remark = NO_PARQUET
        except (BadRecord, RecursionError) as error:
            # What can't be read as what its name says is still text or bytes.
            remark = remark or (error.message if kind != "text" and isinstance(error, BadRecord) else "")
    expected.seek(0)
    actual.seek(0)
    return Found("bytes", (compare_bytes(expected, actual, remark),))


def _ways(suffix: str, unpickle: Unpickle | None) -> Iterator[tuple[Kind, Compare]]:
    """How files of a kind can be compared, the one that tells most first."""
    if suffix in SUFFIXES and unpickle is not None:
        yield "arrays", partial(compare_pickled, unpickle, suffix)
    if suffix in _BY_SUFFIX:
        yield _BY_SUFFIX[suffix]
    yield "text", lines.compare_text


def _unpacked(file: BinaryIO) -> BinaryIO:
    """What was packed with gzip, never more of it than is looked into."""
    try:
        data = gzip.GzipFile(fileobj=file).read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadRecord("it can't be unpacked") from error
    if len(data) > LARGEST:
        raise BadRecord("too large to be looked into")
    return io.BytesIO(data)


def _found(kind: Kind, found: Iterable[Difference] | Only, tolerances: Policy) -> Found:
    if found == "order":
        return Found(kind, (reordered(tolerances),), "order")
    differences = () if isinstance(found, str) else bounded(found)
    if differences:
        return Found(kind, differences)
    # Whoever allows any number to be off does not mean the bytes.
    return Found(kind, (rewritten(LAYOUT, None, within=bool(tolerances)),), "layout")


def bounded(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences that matter most, those no tolerance covers first; the rest as one."""
    beyond: list[Difference] = []
    covered: list[Difference] = []
    rest = _Rest()
    for each in found:
        place = covered if each.within else beyond
        if len(place) < MOST:
            place.append(each)
        else:
            rest.add(each)
    for each in covered[MOST - len(beyond) :]:
        rest.add(each)
    named = (*beyond, *covered[: MOST - len(beyond)])
    return (*named, rest.difference()) if rest.count else named


class _Rest:
    """Counts differences that are not named one by one, and remembers the widest."""

    def __init__(self) -> None:
        self.count = 0
        self._within = True
        self._absolute: float | None = 0.0
        self._relative: float | None = 0.0

    def add(self, each: Difference) -> None:
        self.count += 1
        self._within = self._within and each.within
        self._absolute = _wider(self._absolute, each.absolute)
        self._relative = _wider(self._relative, each.relative)

    def difference(self) -> Difference:
        """All of them as one, without a name; without a distance where one of them has none."""
        actual = f"{self.count:,} more differences"
        return Difference("", "", actual, self._absolute, self._relative, within=self._within)


def _wider(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else max(one, two)


def _parquet(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> Iterable[Difference] | Only:
    """Loaded when there is such a file: pyarrow is an extra, and takes long."""
    module = importlib.import_module("tallystick.compare.parquet")
    found: Iterable[Difference] | Only = module.compare_parquet(expected, actual, tolerances)
    return found


_BY_SUFFIX: dict[str, tuple[Kind, Compare]] = {
    ".json": ("keys", keys.compare_json),
    ".yaml": ("keys", keys.compare_yaml),
    ".yml": ("keys", keys.compare_yaml),
    ".toml": ("keys", keys.compare_toml),
    ".jsonl": ("table", keys.compare_lines),
    ".ndjson": ("table", keys.compare_lines),
    ".csv": ("table", delimited.compare_csv),
    ".tsv": ("table", delimited.compare_tsv),
    ".parquet": ("table", _parquet),
    ".npy": ("arrays", arrays.compare_npy),
    ".npz": ("arrays", arrays.compare_npz),
    ".safetensors": ("arrays", safetensors.compare_safetensors),
    ".png": ("image", pixels.compare_png),
    ".pgm": ("image", pixels.compare_netpbm),
    ".ppm": ("image", pixels.compare_netpbm),
    ".bmp": ("image", pixels.compare_bmp),
}

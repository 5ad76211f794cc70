"""Hold what a repeated stage made against what its receipt says it made."""

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import BinaryIO

from tallystick.compare.difference import Found, bounded, compare_files
from tallystick.compare.numbers import Policy, apart, other
from tallystick.compare.pickled import Unpickle
from tallystick.data.blobs import bring_blobs
from tallystick.data.hashing import look
from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectMissing, Refused, TallyError
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import metrics as metrics_record
from tallystick.records import tree
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.tolerance import Tolerances
from tallystick.records.tree import Entry
from tallystick.records.verdict import Comparison, Difference
from tallystick.reproduction.past import Past
from tallystick.runs.inputs import out_now
from tallystick.runs.pipelines import read_file
from tallystick.runs.receipts import Recorded
from tallystick.runs.staleness import same

MOST_FILES = 10_000
"""Files of a folder that are looked into where some of them may be off."""

MOST_STRICT = 1_000
"""The same where none may: then one that differs is enough."""

UNKNOWN = "the recorded bytes are in none of the places, so only the digests can be compared"


@dataclass(frozen=True, slots=True)
class Halves:
    """The two sides: the user's project with its past, and the worktree where it was repeated.

    `unpickle` reads pickles, where the user allows it.
    """

    project: Project
    past: Past
    inner: Project
    recorded: Recorded
    unpickle: Unpickle | None = None

    @property
    def receipt(self) -> Receipt:
        """What the stage once came from and made."""
        return self.recorded.receipt

    @property
    def tolerance(self) -> Tolerances:
        """How exactly it must come again: the pipeline there counts, it may be newer than the run."""
        return self.recorded.step.tolerance


def compare_outs(halves: Halves) -> tuple[Comparison, ...]:
    """Compare every out of a stage with its receipt."""
    return tuple(_compare(halves, artifact) for artifact in halves.receipt.outs)


def _compare(halves: Halves, expected: Artifact) -> Comparison:
    actual = out_now(halves.inner, expected.path)
    if actual is None:
        return Comparison(expected.path, "missing", expected.digest, None)
    if same(actual, expected):
        return Comparison(expected.path, "identical", expected.digest, actual.digest)
    found = _differences(halves, expected, actual)
    if found.only is not None and expected.path in halves.receipt.metrics:
        # A metrics file is its numbers, however it is written.
        return Comparison(expected.path, "identical", expected.digest, actual.digest, (), found.kind)
    return Comparison(
        expected.path,
        "within tolerance" if _covered(found) else "different",
        expected.digest,
        actual.digest,
        found.differences,
        found.kind,
        found.only == "order",
    )


def _covered(found: Found) -> bool:
    """Whether a tolerance covers all that differs; where nobody can say what does, none covers it."""
    return bool(found.differences) and all(each.within for each in found.differences)


def _differences(halves: Halves, expected: Artifact, actual: Artifact) -> Found:
    if actual.kind != expected.kind:
        return Found("bytes", (other("kind", _kind(expected), _kind(actual)),))
    if actual.digest == expected.digest:
        return Found("bytes", (other("executable", _flag(expected), _flag(actual)),))
    if expected.kind == "tree":
        return _in_tree(halves, expected)
    return _in_file(halves, expected, halves.tolerance.get(expected.path, {}))


def _kind(artifact: Artifact) -> str:
    return "a folder" if artifact.kind == "tree" else "a file"


def _flag(artifact: Artifact) -> str:
    return "executable" if artifact.executable else "not executable"


def _in_file(halves: Halves, expected: Artifact, tolerances: Policy) -> Found:
    """How one file differs, from the recorded bytes, or at least from the recorded metrics."""
    known = recorded_bytes(halves, expected)
    if known is not None:
        with known, open(halves.inner.git.root / expected.path, "rb") as now:
            return compare_files(expected.path, known, now, tolerances, halves.unpickle)
    if expected.path in halves.receipt.metrics:
        return _in_metrics(halves, expected, tolerances)
    return Found("bytes", (other("bytes", str(expected.digest), UNKNOWN),))


def _in_metrics(halves: Halves, expected: Artifact, tolerances: Policy) -> Found:
    old = halves.receipt.metrics[expected.path]
    try:
        new = metrics_record.read(read_file(halves.inner, expected.path) or b"", expected.path)
    except BadRecord as error:
        return Found("keys", (other("metrics", "numbers", error.message),))
    found = bounded(_between_metrics(old, new, tolerances))
    return Found("keys", found, None if found else "layout")


def _between_metrics(
    old: Mapping[str, float], new: Mapping[str, float], tolerances: Policy
) -> Iterator[Difference]:
    for key in dict.fromkeys((*old, *new)):
        if key not in old or key not in new:
            yield other(key, str(old.get(key, "nothing")), str(new.get(key, "nothing")))
        elif (difference := apart(key, [(old[key], new[key])], tolerances)) is not None:
            yield difference


def recorded_bytes(halves: Halves, artifact: Artifact) -> BinaryIO | None:
    """The bytes that a receipt means: from the store, a remote, or git; None if nobody has them."""
    with contextlib.suppress(ObjectMissing, Refused):
        bring_blobs(halves.project, {artifact.digest: artifact.path})
        return halves.project.store.open(artifact.digest)
    data = bytes_in_git(halves, artifact)
    return None if data is None else io.BytesIO(data)


def bytes_in_git(halves: Halves, artifact: Artifact) -> bytes | None:
    """The bytes that a receipt means, if they are in the commit, or in the snapshot of the code that ran."""
    for treeish in (halves.past.treeish, halves.receipt.code.tree):
        with contextlib.suppress(TallyError):
            data = halves.project.git.read_at(treeish, [artifact.path]).get(artifact.path)
            if data is not None and Digest.of(data) == artifact.digest:
                return data
    return None


def _in_tree(halves: Halves, expected: Artifact) -> Found:
    """Which files of a folder differ, and how."""
    text = recorded_bytes(halves, expected)
    if text is None:
        return Found("folder", (other("bytes", str(expected.digest), UNKNOWN),))
    with text:
        old = {entry.path: entry for entry in tree.parse(text.read(), expected.path)}
    now = look(halves.inner, expected.path)
    new = {entry.path: entry for entry in (now.entries if now is not None else ())}
    changed = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    looked = changed[: MOST_FILES if _tolerated(halves, expected.path) else MOST_STRICT]
    _bring(halves, expected.path, [old[path] for path in looked if path in old])
    each = [_in_entry(halves, expected.path, old.get(path), new.get(path)) for path in looked]
    found = bounded(chain.from_iterable(one.differences for one in each))
    if len(changed) > len(looked):
        found += (other("files", "the same", f"{len(changed) - len(looked):,} more files differ"),)
    unordered = len(changed) == len(looked) > 0 and all(one.only == "order" for one in each)
    return Found("folder", found, "order" if unordered else None)


def _tolerated(halves: Halves, folder: str) -> bool:
    """Whether files of a folder may be off: only then is each of them looked into, whatever that takes."""
    return any(path == folder or path.startswith(f"{folder}/") for path in halves.tolerance)


def _bring(halves: Halves, folder: str, entries: list[Entry]) -> None:
    """Bring what is to be looked at at once; what nobody has is told file by file."""
    with contextlib.suppress(ObjectMissing, Refused):
        bring_blobs(halves.project, {entry.digest: folder for entry in entries if entry.mode in "fx"})


def _in_entry(halves: Halves, folder: str, old: Entry | None, new: Entry | None) -> Found:
    """How one file of a folder differs, each difference named after the file."""
    name = (old or new or Entry("f", Digest.of(b""), 0, b"")).path.decode("utf-8", "backslashreplace")
    if old is None or new is None:
        said = other(name, "nothing" if old is None else "a file", "nothing" if new is None else "a file")
        return Found("bytes", (said,))
    if old.mode != new.mode or old.mode not in "fx":
        now = f"mode {new.mode}" if old.mode != new.mode else "another target"
        return Found("bytes", (other(name, f"mode {old.mode}", now),))
    path = f"{folder}/{name}"
    policy = {**halves.tolerance.get(folder, {}), **halves.tolerance.get(path, {})}
    found = _in_file(halves, Artifact(path, "file", old.digest, old.size), policy)
    named = (replace(each, name=f"{name}: {each.name}", file=name) for each in found.differences)
    return replace(found, differences=tuple(named))

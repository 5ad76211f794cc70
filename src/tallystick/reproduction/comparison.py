"""Hold what a repeated stage made against what its receipt says it made."""

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO

from tallystick.compare.difference import MOST, differences
from tallystick.compare.numbers import apart, other
from tallystick.data.blobs import bring_blobs
from tallystick.data.hashing import look
from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectMissing, Refused, TallyError
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import metrics as metrics_record
from tallystick.records import tree
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.tolerance import Tolerance, Tolerances
from tallystick.records.tree import Entry
from tallystick.records.verdict import Comparison, Difference, Outcome
from tallystick.reproduction.past import Past
from tallystick.runs.inputs import out_now
from tallystick.runs.pipelines import read_file
from tallystick.runs.receipts import Recorded
from tallystick.runs.staleness import same

UNKNOWN = "the recorded bytes are in none of the places, so only the digests can be compared"


@dataclass(frozen=True, slots=True)
class Halves:
    """The two sides: the user's project with its past, and the worktree where it was repeated."""

    project: Project
    past: Past
    inner: Project
    recorded: Recorded

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
    found = tuple(_differences(halves, expected, actual))
    outcome = _outcome(halves, expected, found)
    return Comparison(expected.path, outcome, expected.digest, actual.digest, found)


def _outcome(halves: Halves, expected: Artifact, found: tuple[Difference, ...]) -> Outcome:
    """What differences come to; a metrics file is its numbers, however it is written."""
    if not found and expected.path in halves.receipt.metrics:
        return "identical"
    if not found:
        return "within tolerance" if expected.path in halves.tolerance else "different"
    return "within tolerance" if all(each.within for each in found) else "different"


def _differences(halves: Halves, expected: Artifact, actual: Artifact) -> Iterator[Difference]:
    tolerances = halves.tolerance.get(expected.path, {})
    if actual.kind != expected.kind:
        yield other("kind", _kind(expected), _kind(actual))
    elif actual.digest == expected.digest:
        yield other("executable", _flag(expected), _flag(actual))
    elif expected.kind == "tree":
        yield from _in_tree(halves, expected, tolerances)
    else:
        yield from _in_file(halves, expected, tolerances)


def _kind(artifact: Artifact) -> str:
    return "a folder" if artifact.kind == "tree" else "a file"


def _flag(artifact: Artifact) -> str:
    return "executable" if artifact.executable else "not executable"


def _in_file(halves: Halves, expected: Artifact, tolerances: Mapping[str, Tolerance]) -> Iterator[Difference]:
    """How one file differs, from the recorded bytes, or at least from the recorded metrics."""
    known = recorded_bytes(halves, expected)
    if known is not None:
        with known, open(halves.inner.git.root / expected.path, "rb") as now:
            yield from differences(expected.path, known, now, tolerances)
    elif expected.path in halves.receipt.metrics:
        yield from _in_metrics(halves, expected, tolerances)
    else:
        yield other("bytes", str(expected.digest), UNKNOWN)


def _in_metrics(
    halves: Halves, expected: Artifact, tolerances: Mapping[str, Tolerance]
) -> Iterator[Difference]:
    old = halves.receipt.metrics[expected.path]
    try:
        new = metrics_record.read(read_file(halves.inner, expected.path) or b"", expected.path)
    except BadRecord as error:
        yield other("metrics", "numbers", error.message)
        return
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


def _in_tree(halves: Halves, expected: Artifact, tolerances: Mapping[str, Tolerance]) -> Iterator[Difference]:
    """Which files of a folder differ, and how the first of them do."""
    text = recorded_bytes(halves, expected)
    if text is None:
        yield other("bytes", str(expected.digest), UNKNOWN)
        return
    with text:
        old = {entry.path: entry for entry in tree.parse(text.read(), expected.path)}
    now = look(halves.inner, expected.path)
    new = {entry.path: entry for entry in (now.entries if now is not None else ())}
    changed = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    for path in changed[:MOST]:
        yield from _in_entry(halves, expected.path, old.get(path), new.get(path), tolerances)
    if len(changed) > MOST:
        yield other("files", "the same", f"{len(changed) - MOST} more files differ")


def _in_entry(
    halves: Halves,
    folder: str,
    old: Entry | None,
    new: Entry | None,
    tolerances: Mapping[str, Tolerance],
) -> Iterator[Difference]:
    """How one file of a folder differs, each difference named after the file."""
    name = (old or new or Entry("f", Digest.of(b""), 0, b"")).path.decode("utf-8", "backslashreplace")
    if old is None or new is None:
        yield other(name, "nothing" if old is None else "a file", "nothing" if new is None else "a file")
    elif old.mode != new.mode or old.mode not in "fx":
        yield other(
            name, f"mode {old.mode}", f"mode {new.mode}" if old.mode != new.mode else "another target"
        )
    else:
        part = Artifact(f"{folder}/{name}", "file", old.digest, old.size)
        for difference in _in_file(halves, part, tolerances):
            yield replace(difference, name=f"{name}: {difference.name}")

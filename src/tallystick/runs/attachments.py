"""The files of a run that another tool may be shown: receipt, lock, output, and results of a modest size."""

import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO

from tallystick.data.blobs import bring_held
from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectsError, Refused, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.progress import Progress
from tallystick.project import Project
from tallystick.records import receipt as receipts
from tallystick.records import tree
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.secrets import Redacting, Redactor

OUTS = "outs/"
_IN_MEMORY = 8 << 20
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file under the name that it gets; a blob, or for the receipt its `text`.

    A `record` is sent as it is or not at all: without a secret in it, it would be no record any more.
    """

    path: str
    digest: Digest
    size: int
    text: bytes | None = None
    record: bool = False
    output: bool = False


def attachments(
    project: Project, receipt: Receipt, largest: int | None, progress: Progress, notes: list[str]
) -> list[Attachment]:
    """A run's files, of its outs those of at most so many bytes (None: none of them), all that are at hand.

    What can't be had is noted.
    """
    text = receipts.render(receipt)
    outs = [out for out in receipt.outs if largest is not None and out.size <= largest]
    if largest is not None:
        notes += [f"`{out.path}` is larger and stays here" for out in receipt.outs if out.size > largest]
    named = [("environment.lock", receipt.environment.lock), ("output.log", receipt.log)]
    wanted = [(name, digest) for name, digest in named if digest is not None]
    digests = [digest for _, digest in wanted] + [out.digest for out in outs]
    _bring(project, digests + [digest for digest in (receipt.series,) if digest is not None], progress, notes)
    found = [Attachment("receipt.json", Digest.of(text), len(text), text, record=True)]
    for name, digest in _here(project, wanted, notes):
        found.append(_blob(project, name, digest, record=name != "output.log", output=name == "output.log"))
    for name, digest in _here(project, _files(project, outs, progress, notes), notes):
        found.append(_blob(project, OUTS + name, digest))
    return found


def _blob(
    project: Project, path: str, digest: Digest, *, record: bool = False, output: bool = False
) -> Attachment:
    return Attachment(path, digest, project.store.size(digest), None, record, output)


def _bring(project: Project, digests: Iterable[Digest], progress: Progress, notes: list[str]) -> None:
    """Fetch what a remote holds; without one, or with one that is out of reach, what is here must do."""
    try:
        bring_held(project, digests, progress=progress)
    except (RemoteUnreachable, Refused, BadRecord, ObjectsError) as error:
        notes.append(f"nothing was fetched: {error.message}")


def _here(
    project: Project, wanted: Iterable[tuple[str, Digest]], notes: list[str]
) -> Iterator[tuple[str, Digest]]:
    """What is in the local store; the rest is noted."""
    listed = list(wanted)
    missing = project.store.missing([digest for _, digest in listed])
    for name, digest in listed:
        if digest in missing:
            notes.append(f"`{name}` is in no store at hand")
        else:
            yield name, digest


def _files(
    project: Project, outs: Iterable[Artifact], progress: Progress, notes: list[str]
) -> list[tuple[str, Digest]]:
    """The files of outs, those in folders among them."""
    files = [(out.path, out.digest) for out in outs if out.kind == "file"]
    inside = []
    for name, digest in _here(project, [(out.path, out.digest) for out in outs if out.kind == "tree"], notes):
        entries = tree.parse(project.store.read(digest), name)
        kept = [entry for entry in entries if entry.mode in "fx"]
        inside += [(f"{name}/{entry.path.decode('utf-8', 'replace')}", entry.digest) for entry in kept]
        if any(entry.mode == "l" for entry in entries):
            notes.append(f"links in `{name}` stay here")
    _bring(project, [digest for _, digest in inside], progress, notes)
    return files + inside


@contextmanager
def opened(project: Project, attachment: Attachment, redactor: Redactor) -> Iterator[tuple[IO[bytes], int]]:
    """An attachment's bytes, verified, and how many there are; output once more without secrets.

    Raises Refused for a record that holds a secret of the present environment.
    """
    if attachment.record:
        data = attachment.text if attachment.text is not None else project.store.read(attachment.digest)
        kind = redactor.found(data.decode("utf-8", "replace"))
        if kind is not None:
            raise Refused(f"`{attachment.path}` holds {kind}")
        yield io.BytesIO(data), len(data)
        return
    with project.store.open(attachment.digest) as file:
        if not attachment.output:
            yield file, attachment.size
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as clean:
            stream = Redacting(redactor)
            while piece := file.read(_PIECE):
                clean.write(stream.feed(piece))
            clean.write(stream.end())
            size = clean.tell()
            clean.seek(0)
            yield clean, size

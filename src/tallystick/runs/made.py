"""What a run made and keeps: all blobs that its receipt names."""

import posixpath

from tallystick.data.blobs import wanted_digests
from tallystick.data.tracked import Selected, Tracked, pointer_path_of
from tallystick.digest import Digest
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records.pointer import Pointer
from tallystick.records.receipt import Artifact, Receipt


def blobs_of(project: Project, receipt: Receipt) -> tuple[set[Digest], set[bytes]]:
    """The blobs that a receipt names, and these with all that they lead to; in the local store."""
    kept = {receipt.log, receipt.series, receipt.environment.lock} - {None}
    named = {out.digest for out in receipt.outs} | {digest for digest in kept if digest is not None}
    named |= _wheels(project, receipt)
    return named, wanted_digests(project, map(selected_of, receipt.outs)) | named


def selected_of(out: Artifact) -> Selected:
    """What a receipt says of a path, to be fetched and placed like a tracked one."""
    pointer = Pointer(posixpath.basename(out.path), out.kind, out.digest, out.size, executable=out.executable)
    return Selected(Tracked(pointer_path_of(out.path), out.path, pointer))


def _wheels(project: Project, receipt: Receipt) -> set[Digest]:
    """The packages that an environment's lock keeps whole."""
    lock = receipt.environment.lock
    if lock is None:
        return set()
    packages = environments.parse(project.store.read(lock), str(lock)).packages
    return {package.wheel for package in packages if package.wheel is not None}

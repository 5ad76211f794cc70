"""What a run made and keeps: all blobs that its receipt names."""

from tallystick.data.blobs import wanted_digests
from tallystick.digest import Digest
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records.receipt import Receipt
from tallystick.runs.reuse import selected_of


def blobs_of(project: Project, receipt: Receipt) -> tuple[set[Digest], set[bytes]]:
    """The blobs that a receipt names, and these with all that they lead to; in the local store."""
    kept = {receipt.log, receipt.series, receipt.environment.lock} - {None}
    named = {out.digest for out in receipt.outs} | {digest for digest in kept if digest is not None}
    named |= _wheels(project, receipt)
    return named, wanted_digests(project, map(selected_of, receipt.outs)) | named


def _wheels(project: Project, receipt: Receipt) -> set[Digest]:
    """The packages that an environment's lock keeps whole."""
    lock = receipt.environment.lock
    if lock is None:
        return set()
    packages = environments.parse(project.store.read(lock), str(lock)).packages
    return {package.wheel for package in packages if package.wheel is not None}

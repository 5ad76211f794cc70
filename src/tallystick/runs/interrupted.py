"""Write down runs that were killed, or that no receipt could be written of, as soon as somebody looks."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tallystick import files
from tallystick.digest import Digest
from tallystick.errors import DiskFull, Locked, TallyError
from tallystick.process import ENDING, lives
from tallystick.project import Project
from tallystick.records import receipt as receipts
from tallystick.records.receipt import Receipt
from tallystick.runs import ledger
from tallystick.runs.live import holder
from tallystick.runs.recording import Record, kept


def write_down(project: Project, *, needed: bool = False) -> tuple[Digest, ...]:
    """Give every run that left a record and no receipt an interrupted one; the ids of those receipts.

    It waits for the command of a killed run to be ended, which takes a moment. Where the disk is full, what
    can't be written down stays for the next who looks; if all is `needed`, DiskFull is raised.
    """
    return tuple(identity for record in _left(project) if (identity := _written(project, record, needed)))


def _left(project: Project) -> Iterator[Record]:
    folder = project.home / "running"
    if folder.is_dir():
        yield from (Record(path.parent) for path in sorted(folder.glob("*/*.run/receipt.json")))


def _written(project: Project, record: Record, needed: bool) -> Digest | None:
    """Append the receipt of one record, unless its run goes on; a record that can't be read is dropped."""
    lock = record.folder.with_suffix(".lock")
    process = holder(lock)
    goes_on = process is None or lives(process)
    passed_over = (Locked,) if needed else (Locked, DiskFull)
    with suppress(*passed_over), files.lock(lock, what="the run", wait=0 if goes_on else ENDING):
        try:
            receipt = receipts.parse(record.pending.read_bytes(), str(record.pending))
        except FileNotFoundError:
            return None  # another tally was first
        except (TallyError, OSError):
            shutil.rmtree(record.folder, ignore_errors=True)
            return None
        log, series = kept(project, record.log), kept(project, record.series)
        ended = replace(
            receipt, seconds=_seconds(receipt, record.log), log=log, series=series, tail=record.tail()
        )
        record.reserve.unlink(missing_ok=True)
        identity = ledger.append(project, ended)
        shutil.rmtree(record.folder, ignore_errors=True)
        return identity
    return None


def _seconds(receipt: Receipt, log: Path) -> float:
    """How long it ran at least: until its last output."""
    try:
        started = datetime.fromisoformat(receipt.started.replace("Z", "+00:00"))
        last = datetime.fromtimestamp(log.stat().st_mtime, UTC)
    except (OSError, ValueError):
        return 0.0
    return max(0.0, round((last - started).total_seconds(), 3))

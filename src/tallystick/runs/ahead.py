"""Send what the ledger's runs made ahead of the ledger: a receipt that arrives never leads to nowhere."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from tallystick.data.blobs import JOBS, wanted_digests
from tallystick.digest import Digest
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.runs import ledger
from tallystick.runs.unsent import Unsent, look, remember_sent, unsent_runs
from tallystick.store import RemoteStore, transfer

PORTION = 20_000
"""Runs whose blobs are sent at a time: a root record names them all."""

SHOWN = 5
"""How many runs a remark names."""


class Ahead:
    """What goes to a remote ahead of the ledger, which goes to one of git's; and what went so far."""

    def __init__(
        self,
        project: Project,
        remote: RemoteStore,
        git_remote: str,
        *,
        jobs: int = JOBS,
        progress: Progress = silent,
    ) -> None:
        self.project = project
        self.remote = remote
        self.git_remote = git_remote
        self.runs = 0
        self.sent = transfer.Pushed(0, 0, 0, 0, 0)
        self.is_behind = False
        self._jobs = jobs
        self._progress = progress
        self._lost: dict[Digest, None] = {}

    def found(self, known: Collection[Digest], *, whole: bool = False) -> Unsent:
        """What goes with the rest of a push, without what is `known` to go; very many runs go after it."""
        tip, runs = unsent_runs(self.project, self.remote)
        self.is_behind = len(runs) > PORTION and not whole
        if self.is_behind:
            return Unsent()
        return replace(look(self.project, runs, known), upto=tip) if runs else Unsent(upto=tip)

    def went(self, found: Unsent, sent: transfer.Pushed) -> None:
        """Count what is at the remote now, and find out which receipts go alone."""
        alone = dict.fromkeys(self._nowhere(found.absent))
        self._lost.update(alone)
        self.runs += found.runs - len(alone)
        self.sent = transfer.Pushed(
            self.sent.blobs + sent.blobs,
            self.sent.size + sent.size,
            self.sent.sent_blobs + sent.sent_blobs,
            self.sent.sent_bytes + sent.sent_bytes,
            self.sent.packs + sent.packs,
        )
        if found.upto is not None:
            remember_sent(self.project, self.remote, found.upto)

    def send(self) -> None:
        """Send what the runs made that were not sent, those of the last moments among them."""
        tip, runs = unsent_runs(self.project, self.remote)
        for start in range(0, len(runs), PORTION):
            found = look(self.project, runs[start : start + PORTION])
            self.went(found, self._sent(found))
        if tip is not None:
            remember_sent(self.project, self.remote, tip)

    def notes(self) -> tuple[str, ...]:
        """A remark on the runs of which only the receipts go."""
        if not self._lost:
            return ()
        some = ", ".join(run.short for run in list(self._lost)[:SHOWN])
        more = f" and {len(self._lost) - SHOWN:,} more" if len(self._lost) > SHOWN else ""
        return (
            f"of these runs only the receipts go, some of what they made is neither here nor on "
            f"`{self.remote.name}`: {some}{more}",
        )

    def _nowhere(self, absent: Mapping[Digest, Digest]) -> list[Digest]:
        """The runs that nobody has told git's remote of yet, and that made what the remote lacks, too."""
        if not absent:
            return []
        theirs = self.project.git.resolve_ref(ledger.THEIRS.format(self.git_remote))
        ours = set(ledger.run_ids(self.project, since=theirs or ""))
        blobs = {digest for digest, run in absent.items() if run in ours}
        return [absent[digest] for digest in sorted(self.remote.missing(blobs))] if blobs else []

    def _sent(self, found: Unsent) -> transfer.Pushed:
        """Send a portion."""
        return transfer.push(
            self.project.store,
            self.remote,
            wanted_digests(self.project, found.selected) | found.kept.keys(),
            repository=self.project.config.repository or "",
            roots=found.roots,
            jobs=self._jobs,
            progress=self._progress,
        )

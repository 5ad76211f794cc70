"""Measures section after section, the contenders in turn, and puts the tables together."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from benchmarks import bucket, disks, large, pipelines, pointers, small, syncs, tables
from benchmarks.contenders import CONTENDERS, DVC, GIT, LFS, RESTIC, TALLY, Contender
from benchmarks.measure import MIB, Bench, note

Measured = TypeVar("Measured")
WALL = "seconds until all is on the disk"
CPU = "seconds of CPU"
SPARE = 2 << 30


class Report:
    """The tables so far."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen = chosen
        self.parts: list[str] = []
        with self._scratch(SPARE) as folder:
            bench = Bench(folder)
            versions = {one: bench.output(one.version) for one in CONTENDERS}
            self.versions = {one.name: said.splitlines()[0] for one, said in versions.items() if said}
            self.b3sum = bench.output("b3sum --version")
        wanted = chosen.only or self.versions
        self.contenders = [
            one for one in CONTENDERS if one.name in self.versions and (one is TALLY or one.name in wanted)
        ]

    def measure(self, section: str) -> None:
        """Measure one section and add its tables."""
        jobs: dict[str, Callable[[], None]] = {
            "start": self.start_up,
            "syncs": self.durability,
            "small": self.small_files,
            "large": self.large_file,
            "pointers": self.many_pointers,
            "bucket": self.requests,
            "million": self.many_files,
            "memory": self.memory,
            "pipelines": self.runs,
        }
        jobs[section]()

    def start_up(self) -> None:
        """How long programs think before they begin."""
        columns = {
            one.name: self._on(
                SPARE, "start-up", one, lambda bench, one=one: pointers.start_up(bench, one, 11)
            )
            for one in self.contenders
        }
        with self._scratch(SPARE) as folder:
            bare = pointers.milliseconds(Bench(folder), f"{sys.executable} -S -c 0", folder, 11)
        self._add("Start-up", f"Bare Python: {bare:.0f} CPU ms.", tables.compare(columns))

    def durability(self) -> None:
        """Who makes bytes durable."""
        columns = {
            one.name: self._on(SPARE, "syncs", one, lambda bench, one=one: syncs.measure(bench, one))
            for one in self.contenders
        }
        text = f"Calls while {syncs.FILES} files of 4 KiB are added, pushed to a directory and pulled."
        self._add("Who asks the system to make bytes durable", text, tables.plain(columns))

    def small_files(self) -> None:
        """Many small files; the slow ones with fewer in a table of their own."""
        files, fewer = self.chosen.files, self.chosen.slow_files
        if not fewer or fewer >= files:
            self._small(files, self.contenders)
            return
        self._small(files, [one for one in self.contenders if one in (TALLY, GIT)])
        self._small(fewer, [one for one in self.contenders if one in (TALLY, DVC, LFS, RESTIC)])

    def _small(self, files: int, contenders: Sequence[Contender]) -> None:
        size = self.chosen.file_size
        space = SPARE + files * (5 * max(size, 4096) + 3 * 8192)

        def once(bench: Bench, one: Contender) -> small.Figures:
            return small.measure(bench, one, files, size)

        rounds: dict[str, list[small.Figures]] = {one.name: [] for one in contenders}
        limits: list[small.Figures] = []
        for number in range(self.chosen.rounds):
            what = f"{files:,} files, round {number + 1}"
            for one in reversed(contenders):
                rounds[one.name].append(self._on(space, what, one, lambda bench, one=one: once(bench, one)))
            limits.append(self._on(space, what, None, lambda bench: small.limits(bench, files, size)))
        self._compare(f"{files:,} files of {size:,} bytes", rounds, limits, small.LIMIT_OF)

    def large_file(self) -> None:
        """One large file; for the slow ones a smaller one, in a table of their own."""
        size, smaller = self.chosen.size, self.chosen.slow_size
        others = [one for one in self.contenders if one is not GIT]
        if not smaller or smaller >= size:
            self._large(size, others)
            return
        self._large(size, [TALLY])
        self._large(smaller, others)

    def _large(self, mebibytes: int, contenders: Sequence[Contender]) -> None:
        size = mebibytes * MIB
        space = SPARE + 10 * size
        rounds: dict[str, list[small.Figures]] = {one.name: [] for one in contenders}
        limits: list[small.Figures] = []
        growth: dict[str, float] = {}
        for number in range(self.chosen.rounds):
            what = f"one file of {mebibytes} MiB, round {number + 1}"
            for one in reversed(contenders):
                figures, growth[one.name] = self._on(
                    space, what, one, lambda bench, one=one: large.measure(bench, one, size)
                )
                if one in (TALLY, DVC):
                    figures |= self._reflink(space, what, one, size)
                rounds[one.name].append(figures)
            limits.append(self._on(space, what, None, lambda bench: large.limits(bench, size)))
        self._compare(f"One file of {mebibytes} MiB", rounds, limits, large.LIMIT_OF, {large.GROWTH: growth})

    def _reflink(self, space: int, what: str, one: Contender, size: int) -> small.Figures:
        if self.chosen.plain:
            return {}
        note(f"{what}, xfs: {one.name}")
        with disks.disk("xfs", space, self.chosen.scratch) as folder:
            return large.reflink(Bench(folder), one, size) if folder else {}

    def many_pointers(self) -> None:
        """Many pointers, and one."""
        count = self.chosen.pointers
        jobs = [(TALLY, 1), (TALLY, count)]
        if DVC in self.contenders:
            jobs.append((DVC, min(count, self.chosen.slow_pointers)))
        columns = {
            f"{one.name}, {number:,}": self._on(
                2 * SPARE,
                "pointers",
                one,
                lambda bench, one=one, number=number: pointers.measure(bench, one, number),
            )
            for one, number in jobs
        }
        text = "Ratios are to the repository with one pointer."
        self._add("One pointer and many", text, tables.compare(columns))

    def requests(self) -> None:
        """Requests to S3."""
        if not bucket.available():
            note("no SeaweedFS here: S3 is left out")
            return
        size, columns = min(self.chosen.size, 1024), {}
        with self._scratch(4 * SPARE + 8 * size * MIB) as server, bucket.seaweed(server) as port:
            for one in (each for each in self.contenders if each.bucket):
                files = self.chosen.bucket_files if one is TALLY else min(self.chosen.bucket_files, 1000)
                said = self._s3(
                    one, lambda bench, one=one, files=files: bucket.requests(bench, one, port, files)
                )
                said |= self._s3(one, lambda bench, one=one: bucket.inserted(bench, one, port, size * MIB))
                columns[one.name] = said
        text = f"Counted on the wire before SeaweedFS; the large file has {size} MiB."
        self._add("S3: requests and bytes", text, tables.plain(columns))

    def many_files(self) -> None:
        """Very many files, and a tenth of them."""
        size, columns = self.chosen.many_size, {}
        for count in (self.chosen.many_files // 10, self.chosen.many_files):
            space = SPARE + count * (5 * max(size, 4096) + 3 * 8192)
            seen = [
                self._on(
                    space,
                    f"{count:,} files of {size} bytes",
                    TALLY,
                    lambda bench, count=count: small.measure(bench, TALLY, count, size),
                )
            ]
            columns[f"{count:,} files"] = tables.medians(seen, lambda cost: cost.wall) | {
                "peak memory (MiB)": tables.peak(seen)
            }
        text = f"Files of {size} bytes; in {WALL}. Ratios are to a tenth of the files."
        self._add("Very many files", text, tables.compare(columns))

    def memory(self) -> None:
        """One file that is larger than memory should be."""
        size = self.chosen.memory_size
        columns = self._on(
            SPARE + 6 * size * MIB,
            f"memory for {size} MiB",
            TALLY,
            lambda bench: large.memory(bench, TALLY, size * MIB),
        )
        self._add("Memory", f"One file of {size:,} MiB.", tables.compare(columns, ratios=False))

    def runs(self) -> None:
        """What stages, deps and receipts cost."""
        chosen = self.chosen
        seen = self._on(
            2 * SPARE + chosen.deps * 5 * 8192 + chosen.runs * 4096,
            "pipelines",
            TALLY,
            lambda bench: pipelines.measure(bench, chosen.stages, chosen.deps, chosen.runs),
        )
        columns = {
            "wall (s)": {job: cost.wall for job, cost in seen.items()},
            "CPU (s)": {job: cost.cpu for job, cost in seen.items()},
        }
        text = (
            f"Medians of {pipelines.ROUNDS}, after a first time that doesn't count. Every `run:` is forced."
        )
        self._add("Pipelines and receipts", text, tables.compare(columns, ratios=False))

    def _s3(self, one: Contender, job: Callable[[Bench], dict[str, str]]) -> dict[str, str]:
        return self._on(SPARE + 8 * self.chosen.size * MIB, "S3", one, job, **bucket.KEYS)

    def _on(
        self, space: int, what: str, one: Contender | None, job: Callable[[Bench], Measured], **more: str
    ) -> Measured:
        """Measure on an empty file system."""
        note(f"{what}: {one.name if one else 'limits'}")
        with self._scratch(space) as folder:
            return job(Bench(folder, **more))

    def _scratch(self, space: int) -> AbstractContextManager[Path]:
        return disks.scratch(space, self.chosen.scratch, self.chosen.plain)

    def _compare(
        self,
        title: str,
        rounds: Mapping[str, Sequence[small.Figures]],
        limits: Sequence[small.Figures],
        limit_of: Mapping[str, str],
        more: tables.Rows | None = None,
    ) -> None:
        """Add a table of wall time, peak memory and limits, and one of CPU time."""
        for what, part in ((WALL, lambda cost: cost.wall), (CPU, lambda cost: cost.cpu)):
            columns = {name: tables.medians(seen, part) for name, seen in rounds.items()}
            bounds = tables.medians(limits, part)
            columns["limit"] = {job: bounds[limit] for job, limit in limit_of.items() if limit in bounds}
            if what == WALL:
                for name, seen in rounds.items():
                    columns[name]["peak memory (MiB)"] = tables.peak(seen)
                for job, values in (more or {}).items():
                    for name, value in values.items():
                        columns[name][job] = value
            named = ", ".join(f"{name} {tables.figure(value)}" for name, value in bounds.items())
            self._add(
                title,
                f"In {what}; medians of {self.chosen.rounds}. Limits: {named}.",
                tables.compare(columns),
            )

    def _add(self, title: str, text: str, table: str) -> None:
        self.parts.append(f"### {title}\n\n{text}\n\n{table}\n")
        note(f"\n{table}\n")

    def text(self) -> str:
        """The machine, the versions and all tables."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        place = (
            "a plain folder"
            if self.chosen.plain
            else "ext4 mounted from a file, an empty one for each measurement"
        )
        machine = [
            f"* {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}",
            f"* Python {platform.python_version()}; {place}",
            "* "
            + "; ".join(f"{name}: {said}" for name, said in self.versions.items())
            + (f"; {self.b3sum}" if self.b3sum else ""),
        ]
        return "\n".join([*machine, "", *self.parts])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )

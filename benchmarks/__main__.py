"""Measures Tallystick beside DVC, git, git-lfs, restic and plain copies on this machine.

    sh scripts/setup.sh && .venv/bin/python -m benchmarks --files 10000 --output table.md

The first run installs DVC into `benchmarks/.venv` and unpacks Debian's git-lfs, restic, b3sum and xfsprogs
into `benchmarks/.debian`; nothing else on the machine changes. As root, each measurement has an empty ext4 of
its own, mounted from a file; otherwise a plain folder. Trust the ratios, not the seconds.
"""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks import disks, peers
from benchmarks.report import Report

SECTIONS = ("start", "syncs", "small", "large", "pointers", "bucket", "million", "memory", "pipelines")


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--files", type=int, default=5000, help="how many small files (5000)")
    add("--file-size", type=int, default=4096, help="bytes in each (4096)")
    add("--slow-files", type=int, default=0, help="how many for all but tally and git, if fewer")
    add("--size", type=int, default=256, help="MiB of the large file (256)")
    add("--slow-size", type=int, default=0, help="MiB of it for all but tally, if smaller")
    add("--pointers", type=int, default=1000, help="how many pointers (1000)")
    add("--slow-pointers", type=int, default=100, help="how many for DVC, if fewer (100)")
    add("--bucket-files", type=int, default=1000, help="how many small files to S3 (1000)")
    add(
        "--many-files",
        type=int,
        default=10000,
        help="how many files beside a tenth of them, tally alone (10000)",
    )
    add("--many-size", type=int, default=100, help="bytes in each (100)")
    add("--memory-size", type=int, default=512, help="MiB of the file whose peak of memory is shown (512)")
    add("--stages", type=int, default=1000, help="how many stages of a pipeline (1000)")
    add("--deps", type=int, default=10000, help="how many deps of one stage (10000)")
    add("--runs", type=int, default=100000, help="how many runs in the ledger (100000)")
    add("--rounds", type=int, default=1, help="how often all is measured, in turn; the medians are shown (1)")
    add("--sections", nargs="+", default=SECTIONS, choices=SECTIONS, help="what to measure (all)")
    add("--only", nargs="+", help="contenders to measure beside tally (all that are installed)")
    add("--scratch", type=Path, default=Path("/tmp"), help="where to work (/tmp)")
    add("--plain", action="store_true", help="in a plain folder, even if file systems can be mounted")
    add("--no-install", action="store_true", help="measure only what is here already")
    add("--output", type=Path, help="write the tables to this file too")
    chosen = parser.parse_args()
    chosen.plain = chosen.plain or not disks.can_mount()
    return chosen


def main() -> None:
    """Install, measure, print."""
    # Terminated, it still unmounts what it has mounted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = options()
    if not chosen.no_install:
        peers.install()
    report = Report(chosen)
    for section in SECTIONS:
        if section in chosen.sections:
            report.measure(section)
    text = report.text()
    sys.stdout.write(text)
    if chosen.output:
        chosen.output.write_text(text)


if __name__ == "__main__":
    main()

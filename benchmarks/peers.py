"""Installs the peers that can be had here, beside the benchmarks and nowhere else."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measure import DEBIAN, PEERS, PROGRAMS, note

DVC = "dvc[s3]==3.67.1"
# mkfs.xfs and what it links to; the others stand alone.
PACKAGES = ("git-lfs", "restic", "b3sum", "xfsprogs", "libinih1", "liburcu8")


def install() -> None:
    """Install what is missing; what can't be had is left out of the tables."""
    for what, step in (("DVC", install_dvc), ("Debian's packages", unpack_debian)):
        try:
            step()
        except (OSError, subprocess.CalledProcessError) as error:
            note(f"{what} cannot be installed: {error}")


def install_dvc() -> None:
    """Install DVC into a virtual environment of its own."""
    python = str(PEERS / "bin/python")
    if (PEERS / "bin/dvc").exists() and list(PEERS.glob("lib/*/site-packages/dvc_s3")):
        return
    note(f"installing {DVC}")
    uv = str(PROGRAMS / "uv")
    subprocess.run([uv, "venv", "--quiet", "--clear", str(PEERS)], check=True)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, DVC], check=True
    )


def unpack_debian() -> None:
    """Unpack Debian's packages without installing them: no setting of this machine changes."""
    if (DEBIAN / "usr/bin/restic").exists() or not shutil.which("apt-get"):
        return
    note("downloading " + " ".join(PACKAGES))
    with tempfile.TemporaryDirectory(prefix="tally-bench-") as folder:
        command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *PACKAGES]
        subprocess.run(command, cwd=folder, check=True, stderr=subprocess.DEVNULL)
        for package in sorted(Path(folder).glob("*.deb")):
            subprocess.run(["dpkg", "-x", str(package), str(DEBIAN)], check=True)


def libraries() -> dict[str, str]:
    """The environment in which unpacked programs find their libraries."""
    folders = [DEBIAN / "usr/lib/x86_64-linux-gnu", DEBIAN / "lib/x86_64-linux-gnu"]
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(map(str, folders))}

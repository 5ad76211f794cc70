"""tally add --to-remote."""

import random
from pathlib import Path

import pytest

from tests.sandbox import Repo, Tally
from tests.servers import Server, Shelf, moto, web

__all__ = ["moto", "web"]

DATA = random.Random(7).randbytes(3_000_000)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that is not in the project."""
    path = tmp_path / "big.bin"
    path.write_bytes(DATA)
    return path


def local_bytes(project: Repo) -> int:
    """How much lies in the local store."""
    folders = [project.path / ".git/tally" / name for name in ("objects", "packs")]
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def test_a_file_goes_to_the_remote_and_leaves_only_a_pointer(
    project: Repo, tally: Tally, remote: Path, outside: Path
) -> None:
    (project.path / "data").mkdir()
    done = tally("add", "--to-remote", str(outside), "-o", "data/big.bin")
    assert "added      data/big.bin  (1 file, 2.9 MiB)" in done.out
    assert "It lies at `origin` and not here" in done.out
    assert "Total: 1 file, 2.9 MiB; 2.9 MiB sent in " in done.out
    assert local_bytes(project) == 0
    assert not (project.path / "data/big.bin").exists()
    assert "data/big.bin.tally" in project.git("diff", "--cached", "--name-only")
    project.commit("Track it")
    tally("pull", "data/big.bin")
    assert (project.path / "data/big.bin").read_bytes() == DATA
    tally("check")


def test_a_second_time_nothing_is_sent(project: Repo, tally: Tally, remote: Path, outside: Path) -> None:
    tally("add", "--to-remote", str(outside))
    done = tally("add", "--to-remote", str(outside))
    assert "unchanged  big.bin" in done.out
    assert "0 B sent" in done.out
    assert "has everything already" in tally("push").out


def test_a_url_goes_to_a_bucket(project: Repo, tally: Tally, moto: Server, web: Shelf) -> None:
    (web.folder / "scans.tar").write_bytes(DATA)
    options = [part for name, value in moto.options().items() for part in ("-o", f"{name}={value}")]
    tally("remote", "add", "cloud", moto.bucket(), *options)
    assert "there is nothing at" in tally("add", "--to-remote", f"{web.url}/none.tar", code=3).err
    tally("add", "--to-remote", f"{web.url}/scans.tar")
    assert local_bytes(project) == 0
    tally("pull")
    assert (project.path / "scans.tar").read_bytes() == DATA


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--to-remote", "a", "b"], 2, "takes one file"),
        (["--to-remote", "none.bin"], 3, "none.bin"),
        (["--to-remote", "http://127.0.0.1:9/x.bin"], 15, "does not answer"),
        (["--to-remote", "ftp://127.0.0.1/x.bin"], 3, "not the URL of a file"),
        (["--out", "x", "README.md"], 2, "go with `--to-remote`"),
        (["--to-remote", "README.md"], 3, "git tracks `README.md`"),
        (["--to-remote", "README.md", "-o", "../x"], 3, "outside of the project"),
        (["--to-remote", "README.md", "-o", ".gitignore"], 3, "belongs into git"),
    ],
)
def test_what_can_not_be_sent_is_refused_and_nothing_is_written(
    project: Repo, tally: Tally, remote: Path, arguments: list[str], code: int, message: str
) -> None:
    done = tally("add", *arguments, code=code)
    assert message in done.err
    assert not list(project.path.glob("*.tally"))
    assert not list(remote.glob("roots/*"))

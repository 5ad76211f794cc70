"""The story of `scripts/demo.sh`, played as a newcomer would."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

TOGETHER: dict[str, Any] = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.STDOUT,
}
CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.mark.index
def test_the_story_runs_to_its_end(scratch: Path) -> None:
    argv = ["sh", str(CHECKOUT / "scripts/demo.sh"), str(scratch)]
    done = subprocess.run(argv, text=True, check=False, **TOGETHER)
    told = done.stdout
    assert done.returncode == 0, told
    assert re.findall(r"\(exit code (\d+)\)", told) == ["0", "1", "0", "13"]
    for chapter, wanted in CLAIMS.items():
        assert re.search(wanted, _chapter(told, chapter)), f"{wanted!r} is not in chapter {chapter}:\n{told}"
    _leaves_nothing_behind(scratch)


CLAIMS = {
    "2": r"digits\s+\(1,797 files",
    "3": r"Nothing to do",
    "4": r"Sent [\d.]+ MiB in \d+ packs? to `origin`, which has all",
    "5": r"threadpoolctl 3\.8\.0 -> 3\.6\.0(.|\n)*param `train.epochs` changed: 8 -> 10",
    "6": r"All clean",
    "7": r"rebuilding the environment(.|\n)*HEAD~1 .*: identical",
    "8": r"different",
    "9": r"within tolerance",
    "10": r"blake3:[0-9a-f]{64}",
}
"""What has to be seen in each chapter."""


def _chapter(told: str, number: str) -> str:
    return re.split(r"^=== ", told, flags=re.MULTILINE)[int(number)]


def _leaves_nothing_behind(scratch: Path) -> None:
    """Neither worktrees, nor changes that nobody made."""
    for name in ("digits", "clone", "fresh"):
        git = ["git", "-C", str(scratch / name)]
        worktrees = subprocess.run(
            [*git, "worktree", "list"], capture_output=True, text=True, check=True
        ).stdout
        assert len(worktrees.splitlines()) == 1
        assert not [path for path in scratch.glob(f"{name}/.git/tally/worktrees/*") if path.is_dir()]
        status = subprocess.run(
            [*git, "status", "--short"], capture_output=True, text=True, check=True
        ).stdout
        assert status == ""

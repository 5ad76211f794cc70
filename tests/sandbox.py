"""What a test works in: a sealed environment, a git repository, the program itself."""

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Everything else is taken away: no setting of the person who runs the tests may reach them.
KEPT = ("PATH", "TMPDIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "COVERAGE_PROCESS_START", "PYENV_ROOT")
KEPT_PREFIXES = ("PYTEST_", "PYTHON", "UV_", "PIP_", "HYPOTHESIS_", "NVPL_")
INDEX = ("UV_OFFLINE", "PIP_NO_INDEX")


def sealed_environment(outer: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the only environment variables that a test and its child processes see."""
    kept = {name: value for name, value in outer.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}
    kept.pop("PYTHONHASHSEED", None)
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CEILING_DIRECTORIES": str(home.parent),
        "GIT_EDITOR": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(home / ".aws/config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws/credentials"),
        "NO_PROXY": "127.0.0.1,localhost",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "80",
        "UV_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_CONFIG": "1",
    }


GIT_CONFIG = """\
[user]
\tname = Ada Lovelace
\temail = ada@example.org
[init]
\tdefaultBranch = main
[commit]
\tgpgSign = false
[core]
\tfsync = none
[gc]
\tauto = 0
[protocol "file"]
\tallow = always
[advice]
\tdetachedHead = false
"""


@dataclass(frozen=True, slots=True)
class Repo:
    """A git repository of the test's own."""

    path: Path

    def git(self, *args: str, check: bool = True) -> str:
        """Run git in the repository and return what it printed, without the last newline."""
        done = subprocess.run(["git", *args], cwd=self.path, capture_output=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"git {' '.join(args)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")

    def write(self, name: str, content: str | bytes = "") -> Path:
        """Write one file, with its folders."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def read(self, name: str) -> bytes:
        """Return the bytes of one file."""
        return (self.path / name).read_bytes()

    def commit(self, message: str = "Change") -> str:
        """Commit everything that git does not ignore and return the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    @classmethod
    def made(cls, path: Path, files: Mapping[str, str]) -> "Repo":
        """Return a new repository whose one commit holds these files."""
        path.mkdir()
        repo = cls(path)
        repo.git("init", "--quiet")
        for name, content in files.items():
            repo.write(name, content)
        repo.commit()
        return repo

    def submodule(self, other: "Repo", place: str) -> "Repo":
        """Make another repository a submodule; return its checkout at the place."""
        self.git("submodule", "--quiet", "add", str(other.path), place)
        return Repo(self.path / place)

    def clone(self, destination: Path) -> "Repo":
        """Return a fresh clone: only what git holds is in it."""
        self.git("clone", "--quiet", str(self.path), str(destination))
        return Repo(destination)


@dataclass(frozen=True, slots=True)
class Ran:
    """How one call of the program ended."""

    args: tuple[str, ...]
    exit_code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return standard output, read as JSON."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"tally {' '.join(self.args)} -> {self.exit_code}\n--- out\n{self.out}\n--- err\n{self.err}"


@dataclass(slots=True)
class Tally:
    """Calls the real program; by default within this process, in the folder `cwd`."""

    cwd: Path
    calls: list[Ran] = field(default_factory=list)

    def __call__(self, *args: str, code: int | None = 0, cwd: Path | None = None, stdin: str = "") -> Ran:
        """Run `tally ARGS`; `code` is the exit code that the test counts on, None for any."""
        return self._checked(self._here(args, cwd or self.cwd, stdin), code)

    def process(
        self,
        *args: str,
        code: int | None = 0,
        cwd: Path | None = None,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run `tally ARGS` as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "tallystick", *args],
            cwd=cwd or self.cwd,
            env={**os.environ, **(env or {})},
            input=stdin.encode(),
            capture_output=True,
            check=False,
        )
        out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        return self._checked(Ran(args, done.returncode, out, err), code)

    def _here(self, args: tuple[str, ...], cwd: Path, stdin: str) -> Ran:
        main = importlib.import_module("tallystick.cli.main").main
        out, err = (
            io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape", newline="\n") for _ in range(2)
        )
        source = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
        outer = sys.stdin
        sys.stdin = source
        try:
            with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                exit_code = _exit_code(main, list(args))
        finally:
            sys.stdin = outer
        return Ran(args, exit_code, _text(out), _text(err))

    def _checked(self, ran: Ran, code: int | None) -> Ran:
        self.calls.append(ran)
        assert code is None or ran.exit_code == code, str(ran)
        return ran


def _exit_code(main: Any, args: list[str]) -> int:
    try:
        return int(main(args) or 0)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8", "replace")

"""A real MLflow server, installed once for all runs of the tests into a virtual environment of its own."""

import fcntl
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.servers import free_ports

OUTER = dict(os.environ)
"""The environment outside of the sandbox: the package index, its cache, the proxies."""

PATIENCE = 300
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True, slots=True)
class RealServer:
    """Where it listens, and the programs of its environment."""

    url: str
    bin: Path


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """MLflow itself, with a database and artifacts in a folder of the test's own."""
    programs, folder, (port,) = _installed(), tmp_path_factory.mktemp("mlflow"), free_ports(1)
    argv = [str(programs / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    argv += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    argv += ["--artifacts-destination", str(folder / "artifacts")]
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), **QUIET}
    log = folder / "server.log"
    with log.open("wb") as output:
        # It starts its workers as programs of their own: they end with their group.
        process = subprocess.Popen(
            argv, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _await(f"http://127.0.0.1:{port}", process, log)
        yield RealServer(f"http://127.0.0.1:{port}", programs)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _installed() -> Path:
    """The programs of an environment that has MLflow."""
    folder = Path(OUTER.get("TALLY_TEST_TOOLS") or Path(sys.executable).parent.parent / "tools")
    place = folder / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "bin/mlflow").exists():
            uv = [find_uv_bin(), "--quiet"]
            subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, place], env=OUTER, check=True)
            install = [*uv, "pip", "install", "--python", place / "bin/python", "mlflow>=3,<4"]
            subprocess.run(install, env=OUTER, check=True, timeout=1200)
    return place / "bin"


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"MLflow does not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.2)
        else:
            return

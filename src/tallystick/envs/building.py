"""Build a recorded environment again, and make sure that it is the recorded one."""

import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tallystick.envs.capture import installed_record
from tallystick.envs.conda import conda_packages
from tallystick.envs.furnish import furnish
from tallystick.envs.installed import distributions, normalised
from tallystick.envs.installer import installer
from tallystick.envs.intact import altered
from tallystick.envs.interpreter import interpreter_of
from tallystick.envs.probe import Probed, probe
from tallystick.envs.rebuild import MARKER, VAULTED, Order, installed_apart, is_marked
from tallystick.envs.requirements import alone, installer_settings, requirement
from tallystick.envs.standing import Standing, remember
from tallystick.envs.stock import Read, Stock, Stocked
from tallystick.errors import DiskFull, EnvironmentNotRebuilt, Refused
from tallystick.files import write_atomic
from tallystick.process import Completed, run
from tallystick.progress import Progress
from tallystick.records import environment as record
from tallystick.records.environment import Lock


def _settings(order: Order) -> dict[str, str]:
    """The variables that uv gets."""
    settings = installer_settings(order.env) | {"UV_PYTHON_DOWNLOADS": "never"}
    return settings | ({"UV_OFFLINE": "1"} if order.offline else {})


def asked(folder: Path) -> Standing:
    """Ask a whole environment's Python what it is."""
    answered = probe(str(folder / "bin" / "python"), {"PATH": os.defpath}, folder)
    found = Standing(answered.python, answered.platform)
    remember(folder, found)
    return found


def is_complete(order: Order) -> bool:
    """Whether an environment stands there whole, from this lock, and nobody has changed it since."""
    python = order.folder / "bin/python"
    return is_marked(order) and python.exists() and not _objections(order)


def build(order: Order, read: Read, stock: Stock, progress: Progress) -> None:
    """Build it anew."""
    lock, folder = order.lock, order.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    stocked = stock(lock)
    packages = installed_apart(lock)
    progress.begin("rebuilding the environment", files=len(packages) + len(lock.conda))
    with TemporaryDirectory(prefix="tally-") as scratch:
        lines = [
            requirement(package, Path(scratch), read, stocked.get(normalised(package.name)))
            for package in packages
        ]
        if lock.conda:
            furnish(lock.conda, folder, stocked)
        else:
            _make(order)
        if lines:
            _install(order, lines, stocked, Path(scratch))
    if objections := [*_objections(order), *_altered(folder)]:
        shutil.rmtree(folder, ignore_errors=True)
        raise EnvironmentNotRebuilt(
            f"the rebuilt environment is not the recorded one: {'; '.join(objections)}",
            hint=_blamed(objections, stocked),
        )
    progress.advance(files=len(packages) + len(lock.conda))
    progress.end()
    write_atomic(folder / VAULTED, str(len(stocked)).encode())
    write_atomic(folder / MARKER, record.render(lock))


def _altered(folder: Path) -> Iterator[str]:
    """The same for files that are not what their own package's record says."""
    for found, path in altered(distributions(_sites(folder))):
        yield f"`{found.name}` {found.version} has an altered file, `{path}`"


def _sites(folder: Path) -> list[str]:
    return [str(path) for path in folder.glob("lib*/*/site-packages")]


def _blamed(objections: list[str], stocked: Collection[str]) -> str:
    """Who brought what was not recorded."""
    if any("altered file" in objection for objection in objections):
        return "somebody may have edited a file that uv's cache shares: `uv cache clean`, and repeat"
    if any(f"`{name}`" in objection for name in stocked for objection in objections):
        return "the vault holds another wheel than it says: make it anew where that environment still stands"
    return "the package index no longer gives what was recorded; another index may (UV_INDEX)"


def _make(order: Order) -> None:
    """Make an empty virtual environment of the recorded Python."""
    lock, folder, env = order.lock, order.folder, _settings(order)
    at_hand = _at_hand(order)
    chosen = next((each.base for each in at_hand if each.python == lock.python), _request(lock))
    done = _venv(chosen, folder, env)
    if done.exit_code != 0 and order.any_python:
        another = next((each.base for each in at_hand if _minor(each.python) == _minor(lock.python)), None)
        done = _venv(another or _request(lock, any_patch=True), folder, env)
    if done.exit_code == 0:
        return
    found = ", ".join(sorted({*_found(folder.parent, env), *(each.python for each in at_hand)})) or "none"
    like = f"Python {_minor(lock.python) if order.any_python else lock.python}"
    raise EnvironmentNotRebuilt(
        f"{like} ({lock.implementation}) is needed and not here; found: {found}",
        hint=f"install it (`uv python install {lock.python}`, pyenv, your system's packages) and repeat",
    )


def _venv(python: str, folder: Path, env: Mapping[str, str]) -> Completed:
    return _uv(["venv", "--quiet", "--no-project", "--python", python, str(folder)], folder.parent, env)


def _request(lock: Lock, any_patch: bool = False) -> str:
    return f"{lock.implementation}@{_minor(lock.python) if any_patch else lock.python}"


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _at_hand(order: Order) -> list[Probed]:
    """The Pythons behind those at hand, of the recorded kind: they need not be on PATH themselves."""
    found = []
    env = _settings(order)
    for candidate in dict.fromkeys((order.python, interpreter_of("python", env, Path("/")))):
        if candidate is not None:
            with suppress(Refused):
                found.append(probe(candidate, env, Path("/")))
    return [each for each in found if each.implementation == order.lock.implementation]


def _found(cwd: Path, env: Mapping[str, str]) -> list[str]:
    """The versions of Python that this machine has."""
    done = _uv(["python", "list", "--only-installed", "--output-format", "json"], cwd, env)
    try:
        listed = json.loads(done.stdout)
        return sorted({f"{each['version']}" for each in listed})
    except (ValueError, KeyError, TypeError):
        return []


def _install(order: Order, lines: list[str], stocked: Mapping[str, Stocked], scratch: Path) -> None:
    """Install exactly these, wheels only, without asking what they depend on."""
    folder, env = order.folder, _settings(order)
    requirements = scratch / "requirements.txt"
    requirements.write_text("\n".join(lines) + "\n")
    python = str(folder / "bin" / "python")
    options = ["--quiet", "--python", python, "--no-deps", "--no-build", "--requirement", str(requirements)]
    wanted = installed_apart(order.lock)
    found = [stocked[name] for each in wanted if (name := normalised(each.name)) in stocked]
    options += [word for each in found for word in ("--find-links", str(each.path.parent))]
    if order.lock.conda:
        # What pip put over a package of conda's takes its place here, too.
        options += ["--reinstall", "--break-system-packages"]
    if all(each.wheel is not None or normalised(each.name) in stocked for each in wanted):
        # Files of ours alone: nothing to ask anybody for, and each has its hash.
        options += ["--offline", "--no-index", "--require-hashes"]
        env = alone(env)
    done = _uv(["pip", "install", *options], scratch, env)
    if done.exit_code == 0:
        return
    shutil.rmtree(folder, ignore_errors=True)
    reason = _reason(done.complaint)
    if "os error 28" in reason:
        raise DiskFull(
            f"no room for the environment: {reason}", hint="free some space and repeat the command"
        )
    raise EnvironmentNotRebuilt(f"the recorded packages can't be installed: {reason}", hint=_advice(reason))


def _reason(complaint: str) -> str:
    """What uv says as one sentence, without its advice and without whoever's name and password."""
    text = re.sub(r"://[^/@\s]+@", "://", " ".join(complaint.split()))
    return re.sub(r"^error: (No solution found when resolving dependencies cause: )?| hint: .*$", "", text)


def _advice(reason: str) -> str:
    if re.search(r"platform|ABI tag|Python (version|ABI)|wheels? with a matching", reason):
        return "there is no wheel of it for this machine; rebuild it on one like the recorded"
    if "no usable wheels" in reason:
        return "it was built from source; where uv did that, a new `tally run` keeps what was built"
    return "is the package index reachable, and does it still have them?"


def _uv(words: list[str], cwd: Path, env: Mapping[str, str]) -> Completed:
    return run([installer(), *words], cwd=cwd, env=env, check=False)


def _objections(order: Order) -> list[str]:
    """In what an environment differs from its lock, found by reading alone."""
    lock, folder = order.lock, order.folder
    objections = (
        _of_conda(lock, folder) if lock.conda else [] if order.any_python else _of_python(lock, folder)
    )
    present = {each.name: each for each in distributions(_sites(folder))}
    for package in lock.packages:
        found = present.pop(normalised(package.name), None)
        if found is None:
            objections.append(f"`{package.name}` is missing")
        elif found.version != package.version:
            objections.append(f"`{package.name}` is {found.version}, not {package.version}")
        elif package.record is not None and installed_record(found) != package.record:
            objections.append(f"`{package.name}` {package.version} has other files than the recorded one")
    return objections + [f"`{name}` is there besides" for name in present]


def _of_conda(lock: Lock, folder: Path) -> list[str]:
    found, wanted = set(conda_packages(folder)), set(lock.conda)
    return [
        f"conda's `{each.name}` {each.version} is not the recorded one"
        for each in sorted(found ^ wanted, key=str)
    ]


def _of_python(lock: Lock, folder: Path) -> list[str]:
    try:
        text = (folder / "pyvenv.cfg").read_text("utf-8", "replace")
    except OSError:
        return ["its `pyvenv.cfg` is missing"]
    told = re.search(r"^version(?:_info)?\s*=\s*(\S+)", text, re.MULTILINE)
    version = told[1] if told else "unknown"
    return [] if version == lock.python.removesuffix("t") else [f"its Python is {version}, not {lock.python}"]

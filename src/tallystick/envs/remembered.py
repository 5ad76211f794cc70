"""Remember captures: an environment that nobody has touched need not be asked again."""

import json
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tallystick.digest import Digest
from tallystick.envs.captured import Captured, KeptWheel
from tallystick.envs.editable import Root
from tallystick.envs.installed import Distribution
from tallystick.envs.stamps import is_settled, stamp
from tallystick.errors import TallyError
from tallystick.files import write_atomic
from tallystick.records import environment as record

FORMAT = 5
"""Raised when what is remembered, or how a capture is made, changes."""

MAKING = "tallystick.envs.capture"
"""What makes a capture: loaded where none is remembered, as it takes a tenth of a short command's time."""

_DECISIVE = ("PYTHON", "VIRTUAL_ENV", "CONDA", "PYENV")


def capture_once(
    interpreter: str, env: Mapping[str, str], project_root: Path, folder: Path, *, cwd: Path | None = None
) -> Captured:
    """Like `capture`; an environment that is as it was costs a few stats, and nothing is started.

    `folder` keeps what is remembered; deleting it costs time and never changes an answer.
    """
    file = folder / f"{_key(interpreter, env, project_root, cwd)}.json"
    remembered = _recalled(file)
    if remembered is not None:
        return remembered
    making = import_module(MAKING)
    captured: Captured = making.capture(interpreter, env, project_root, cwd=cwd)
    _remember(file, interpreter, captured, making.read_from(interpreter, captured, project_root))
    return captured


def capture_anew(
    interpreter: str, env: Mapping[str, str], project_root: Path, *, cwd: Path | None = None
) -> Captured:
    """Like `capture`, whatever is remembered."""
    captured: Captured = import_module(MAKING).capture(interpreter, env, project_root, cwd=cwd)
    return captured


def kept_wheel(kept: KeptWheel) -> bytes:
    """The wheel of a package that no index has; raise Refused if it has changed since the capture."""
    data: bytes = import_module(MAKING).wheel_data(kept)
    return data


def _key(interpreter: str, env: Mapping[str, str], project_root: Path, cwd: Path | None) -> str:
    """All that a capture depends on besides files."""
    decisive = sorted((name, value) for name, value in env.items() if name.startswith(_DECISIVE))
    asked = [FORMAT, interpreter, env.get("HOME"), str(project_root), str(cwd or project_root), decisive]
    return Digest.of(json.dumps(asked).encode()).hex()[:32]


def _recalled(file: Path) -> Captured | None:
    """What was captured, if nothing it was read from has changed."""
    try:
        kept = json.loads(file.read_bytes())
        fresh = all(stamp(each[0]) == each for each in kept["stamps"])
        return _captured(kept["captured"]) if fresh else None
    except (OSError, ValueError, LookupError, TypeError, TallyError):
        return None


def _remember(file: Path, interpreter: str, captured: Captured, watched: Iterable[str]) -> None:
    """Keep a capture, unless something of it could change unseen."""
    if _is_script(interpreter):
        # A version manager's shim may start another Python next time.
        return
    stamps = [stamp(path) for path in dict.fromkeys(watched)]
    if is_settled(stamps):
        write_atomic(file, json.dumps({"captured": _values(captured), "stamps": stamps}).encode())


def _is_script(interpreter: str) -> bool:
    try:
        with open(interpreter, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return True


def _values(captured: Captured) -> dict[str, Any]:
    return {
        "lock": record.render(captured.lock).decode(),
        "python": captured.python,
        "platform": captured.platform,
        "interpreter": captured.interpreter,
        "paths": captured.paths,
        "problems": captured.problems,
        "wheels": [_wheel_values(wheel) for wheel in captured.wheels],
    }


def _wheel_values(wheel: KeptWheel) -> list[Any]:
    each = wheel.distribution
    named = [[str(root.folder), root.names] for root in wheel.roots]
    return [
        str(wheel.digest),
        each.name,
        each.version,
        str(each.metadata),
        each.installer,
        each.direct,
        named,
    ]


def _captured(values: Mapping[str, Any]) -> Captured:
    return Captured(
        lock=record.parse(values["lock"]),
        python=values["python"],
        platform=values["platform"],
        interpreter=values["interpreter"],
        paths=tuple(values["paths"]),
        wheels=tuple(_wheel(*wheel) for wheel in values["wheels"]),
        problems=tuple(values["problems"]),
    )


def _wheel(digest: str, name: str, version: str, metadata: str, *rest: Any) -> KeptWheel:
    installer, direct, named = rest
    distribution = Distribution(name, version, Path(metadata), installer, direct)
    roots = tuple(Root(Path(folder), tuple(names)) for folder, names in named)
    return KeptWheel(name, Digest.parse(digest), distribution, roots)

"""Where tools keep the environments of projects: found by reading, none of them is started."""

import base64
import hashlib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tallystick.envs.entering import ACTIVATE, Entry
from tallystick.records.environment import normalised

OWN = ".venv"
"""The folder in which tools for projects keep a project's environment."""

Variables = Mapping[str, str]

_LARGEST = 1 << 20
_MARKS = ("pyvenv.cfg", "conda-meta")


def home_of(entry: Entry, env: Variables, cwd: Path) -> str | None:
    """The folder of the environment that a command enters; None where it can't be told by reading."""
    if entry.place:
        return os.path.normpath(cwd / _expanded(entry.place, env))
    if entry.tool == ACTIVATE:
        return None
    start = Path(os.path.normpath(cwd / _expanded(entry.folder, env))) if entry.folder else cwd
    start = start if start.is_dir() else start.parent
    return next(_FINDERS[entry.tool](entry, env, start), None)


def _expanded(path: str, env: Variables) -> str:
    home = env.get("HOME", "")
    return home + path[1:] if home and (path == "~" or path.startswith("~/")) else path


def _upwards(start: Path, *names: str) -> Path | None:
    """The nearest folder, up to the repository's, that holds a file of one of these names."""
    for folder in (start, *start.parents):
        if any((folder / name).exists() for name in names):
            return folder
        if (folder / ".git").exists():
            break
    return None


def _own(start: Path) -> Iterator[str]:
    """The environment that lies in the project itself."""
    folder = _upwards(start, f"{OWN}/pyvenv.cfg")
    if folder is not None:
        yield str(folder / OWN)


def _active(env: Variables) -> Iterator[str]:
    """The environment that the user is in; conda's first one is no project's."""
    found = env.get("VIRTUAL_ENV") or env.get("CONDA_PREFIX")
    if found and env.get("CONDA_DEFAULT_ENV") != "base":
        yield found


def _of_uv(_entry: Entry, env: Variables, start: Path) -> Iterator[str]:
    named = env.get("UV_PROJECT_ENVIRONMENT")
    project = _upwards(start, "pyproject.toml")
    if named and project is not None:
        yield os.path.normpath(project / named)
    yield from _own(start)


def _of_rye(_entry: Entry, _env: Variables, start: Path) -> Iterator[str]:
    yield from _own(start)


def _of_poetry(_entry: Entry, env: Variables, start: Path) -> Iterator[str]:
    """The one that is active, else the project's own, else the one in poetry's folder.

    Source: python-poetry.org/docs/managing-environments, and `poetry/utils/env/env_manager.py`.
    """
    project = _upwards(start, "pyproject.toml")
    if project is None:
        yield from _own(start)
        return
    settings = _poetry_settings(env, project)
    folder = Path(settings["path"])
    stem = _poetry_stem(project)
    chosen = _toml(folder / "envs.toml").get(stem)
    if not chosen:
        yield from _active(env)
    if settings["in-project"] != "false" and (project / OWN / "pyvenv.cfg").is_file():
        yield str(project / OWN)
    if isinstance(chosen, dict) and isinstance(chosen.get("minor"), str):
        yield str(folder / f"{stem}-py{chosen['minor']}")
    yield from _only(folder.glob(f"{_escaped(stem)}-py*"))


def _poetry_settings(env: Variables, project: Path) -> dict[str, str]:
    """Whether environments lie in projects, and where the others are."""
    home = env.get("HOME", "/")
    usual = env.get("XDG_CACHE_HOME") or f"{home}/.cache"
    configured = env.get("POETRY_CONFIG_DIR") or f"{env.get('XDG_CONFIG_HOME') or f'{home}/.config'}/pypoetry"
    texts = [_toml(Path(configured) / "config.toml"), _toml(project / "poetry.toml")]
    cache, path, inside = f"{usual}/pypoetry", "", ""
    for text in texts:
        cache = str(text.get("cache-dir", cache))
        section = text.get("virtualenvs")
        section = section if isinstance(section, dict) else {}
        path = str(section.get("path", path))
        inside = str(section.get("in-project", inside)).lower()
    cache = env.get("POETRY_CACHE_DIR", cache)
    path = env.get("POETRY_VIRTUALENVS_PATH", path) or f"{cache}/virtualenvs"
    return {
        "path": path.replace("{cache-dir}", cache).replace("{project-dir}", str(project)),
        "in-project": env.get("POETRY_VIRTUALENVS_IN_PROJECT", inside).lower(),
    }


def _poetry_stem(project: Path) -> str:
    text = _toml(project / "pyproject.toml")
    named = [text.get("project"), (text.get("tool") or {}).get("poetry")]
    names = [each["name"] for each in named if isinstance(each, dict) and isinstance(each.get("name"), str)]
    name = normalised(names[0]) if names else "non-package-mode"
    plain = re.sub(r'[ $`!*@"\\\r\n\t]', "_", name)[:42]
    return f"{plain}-{place_digest(os.path.realpath(project))}"


def _of_pipenv(_entry: Entry, env: Variables, start: Path) -> Iterator[str]:
    """Source: pipenv.pypa.io/en/latest/virtualenv.html, and `pipenv/project.py`."""
    project = _upwards(start, "Pipfile")
    if env.get("PIPENV_IGNORE_VIRTUALENVS", "") in ("", "0"):
        yield from _active(env)
    if project is None:
        return
    if (project / OWN).is_dir():
        yield str(project / OWN)
    folder = Path(env.get("WORKON_HOME") or f"{env.get('HOME', '/')}/.local/share/virtualenvs")
    plain = re.sub(r'[ &$`!*@"()\[\]\\\r\n\t]', "_", project.name)[:42]
    suffix = f"-{env['PIPENV_PYTHON']}" if env.get("PIPENV_PYTHON") else ""
    place = folder / f"{plain}-{place_digest(str(project / 'Pipfile'))}{suffix}"
    if place.is_dir():
        yield str(place)


def _of_pdm(_entry: Entry, env: Variables, start: Path) -> Iterator[str]:
    """The Python that `.pdm-python` names, else the active environment, else the project's own."""
    project = _upwards(start, "pyproject.toml")
    if project is not None:
        with suppress(OSError):
            named = (project / ".pdm-python").read_text("utf-8", "replace").strip()
            if os.path.isabs(named) and os.path.exists(named):
                yield os.path.dirname(os.path.dirname(named))
    yield from _active(env)
    yield from _own(start)


def _of_hatch(entry: Entry, env: Variables, start: Path) -> Iterator[str]:
    """In its data folder, below the project's name and a hash of its place; one project's is unambiguous."""
    project = _upwards(start, "pyproject.toml", "hatch.toml")
    if project is None:
        return
    data = (
        env.get("HATCH_DATA_DIR")
        or f"{env.get('XDG_DATA_HOME') or env.get('HOME', '') + '/.local/share'}/hatch"
    )
    name = str((_toml(project / "pyproject.toml").get("project") or {}).get("name", project.name))
    wanted = [entry.name] if entry.name and entry.name != "default" else ["default", normalised(name)]
    stem = _escaped(normalised(name))
    for each in wanted:
        yield from _only(Path(data).glob(f"env/virtual/{stem}/*/{_escaped(each)}"))


def _of_pixi(entry: Entry, _env: Variables, start: Path) -> Iterator[str]:
    project = _upwards(start, "pixi.toml", "pyproject.toml")
    if project is not None:
        yield str(project / ".pixi/envs" / (entry.name or "default"))


def _of_conda(entry: Entry, env: Variables, _start: Path) -> Iterator[str]:
    """An environment by its name, in the folders that conda and its kin look in, and in their list of all.

    Source: docs.conda.io, `envs_dirs`; mamba.readthedocs.io, `MAMBA_ROOT_PREFIX`.
    """
    roots = list(dict.fromkeys(filter(None, _conda_roots(env))))
    if not entry.name:
        yield from (env[name] for name in ("CONDA_PREFIX",) if env.get(name))
    if entry.name in ("", "base"):
        yield from (root for root in roots if _is_environment(root))
        return
    home = env.get("HOME", "")
    listed = env.get("CONDA_ENVS_DIRS") or env.get("CONDA_ENVS_PATH") or ""
    folders = [*listed.split(os.pathsep), *(f"{root}/envs" for root in roots), f"{home}/.conda/envs"]
    places = [os.path.join(_expanded(folder, env), entry.name) for folder in folders if folder]
    with suppress(OSError):
        lines = Path(home, ".conda/environments.txt").read_text("utf-8", "replace").splitlines()
        places += [line.strip() for line in lines if os.path.basename(line.strip()) == entry.name]
    yield from (place for place in places if _is_environment(place))


def _conda_roots(env: Variables) -> Iterator[str]:
    """Where conda or one of its kin is installed, or keeps its environments."""
    yield env.get("MAMBA_ROOT_PREFIX", "")
    yield env.get("CONDA_ROOT", "")
    for name in ("CONDA_EXE", "MAMBA_EXE"):
        if env.get(name):
            yield os.path.dirname(os.path.dirname(env[name]))
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        if os.path.isabs(folder) and os.path.isfile(f"{folder}/conda"):
            yield os.path.dirname(os.path.realpath(folder))
    yield env.get("HOME", "") + "/.local/share/mamba"
    yield env.get("HOME", "") + "/micromamba"


def _is_environment(place: str) -> bool:
    return any(os.path.exists(os.path.join(place, mark)) for mark in _MARKS)


def _only(found: Iterator[Path]) -> Iterator[str]:
    """What there is, if it is one only."""
    places = [str(place) for place in found if _is_environment(str(place))]
    if len(places) == 1:
        yield places[0]


def _escaped(text: str) -> str:
    """A name in which no letter means something to `glob`."""
    return re.sub(r"([*?\[])", r"[\1]", text)


def place_digest(text: str) -> str:
    """Eight letters of a hash, as poetry and pipenv write it into names of environments."""
    return base64.urlsafe_b64encode(hashlib.sha256(os.fsencode(text)).digest()).decode()[:8]


def _toml(path: Path) -> dict[str, Any]:
    """A small TOML file; nothing where there is none that can be read."""
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


_FINDERS: Mapping[str, Callable[[Entry, Variables, Path], Iterator[str]]] = {
    "conda": _of_conda,
    "hatch": _of_hatch,
    "mamba": _of_conda,
    "micromamba": _of_conda,
    "pdm": _of_pdm,
    "pipenv": _of_pipenv,
    "pixi": _of_pixi,
    "poetry": _of_poetry,
    "rye": _of_rye,
    "uv": _of_uv,
}

"""Write down the environment that a stage runs in, as it is and not as a file claims."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from tallystick.digest import Digest
from tallystick.envs.captured import Captured, KeptWheel
from tallystick.envs.conda import FOLDER as CONDA
from tallystick.envs.conda import conda_environment
from tallystick.envs.editable import Root, roots
from tallystick.envs.installed import Distribution, distributions, essential, record_digest, recorded
from tallystick.envs.lockfile import known_hashes, lock_files
from tallystick.envs.probe import Probed, probe
from tallystick.envs.wheel import build, cannot_keep, sources
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.environment import Lock, Origin, Package, is_hash, normalised

_BUILT_TAG = regex(r"^Tag:\s*\S+-linux_\w+\s*$", re.MULTILINE)
_SHA256 = regex(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Described:
    package: Package
    wheel: KeptWheel | None = None
    problem: str | None = None


def capture(
    interpreter: str, env: Mapping[str, str], project_root: Path, *, cwd: Path | None = None
) -> Captured:
    """Ask an interpreter what it is, then read what is installed for it; `cwd` is where the stage runs.

    Starts the interpreter: callers see to the grant. Raises Refused if it is no working Python.
    """
    return described(probe(interpreter, env, cwd or project_root), project_root)


def described(probed: Probed, project_root: Path) -> Captured:
    """What an interpreter that has answered already can import, as a lock."""
    found = distributions(probed.paths)
    conda = conda_environment(Path(probed.prefix))
    prefix = os.path.realpath(probed.prefix)
    condas = {os.path.join(prefix, path) for path in conda.owned}
    root = Path(os.path.realpath(project_root))
    each = [_describe(one, root, conda=str(one.metadata) in condas) for one in found]
    hashes = known_hashes(project_root)
    packages = tuple(_with_hashes(one.package, hashes) for one in each)
    return Captured(
        lock=Lock(probed.implementation, probed.python, packages, conda.packages),
        python=probed.python,
        platform=probed.platform,
        interpreter=probed.executable,
        paths=probed.paths,
        wheels=tuple(one.wheel for one in each if one.wheel is not None),
        problems=(
            *(one.problem for one in each if one.problem is not None),
            *_unsure(one for one in found if str(one.metadata) not in condas),
        ),
    )


def read_from(interpreter: str, captured: Captured, project_root: Path) -> Iterable[str]:
    """Every file and folder whose change could change a capture."""
    yield from map(str, lock_files(project_root))
    yield interpreter
    yield os.path.realpath(interpreter)
    for levels in (1, 2):
        yield os.path.join(Path(interpreter).parents[levels - 1], "pyvenv.cfg")
        yield os.path.join(Path(interpreter).parents[levels - 1], CONDA)
    for path in captured.paths:
        yield path
        yield from _names_in(path, ".pth")
    for wheel in captured.wheels:
        yield from sources(wheel.distribution, wheel.roots)


def _names_in(folder: str, suffix: str) -> list[str]:
    try:
        return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(suffix))
    except OSError:
        return []


def wheel_data(kept: KeptWheel) -> bytes:
    """Make a kept wheel's bytes; raise Refused if what is installed has changed since the capture."""
    wheel = build(kept.distribution, kept.roots)
    if wheel.digest != kept.digest:
        raise Refused(f"the package `{kept.name}` changed while it was read", hint="repeat the command")
    return wheel.data


def _with_hashes(package: Package, hashes: Mapping[tuple[str, str], tuple[str, ...]]) -> Package:
    """A package of an index with the hashes that the project's lock has for it."""
    known = hashes.get((normalised(package.name), package.version), ())
    from_index = package.source == "index" and package.wheel is None
    return replace(package, hashes=tuple(filter(is_hash, known))) if from_index and known else package


def _describe(distribution: Distribution, project_root: Path, *, conda: bool) -> _Described:
    if conda:
        return _Described(_package(distribution, "conda", record=installed_record(distribution)))
    direct = distribution.direct
    if direct is None:
        if is_built_here(distribution):
            return _kept(distribution, "index", None)
        return _Described(_package(distribution, "index", record=installed_record(distribution)))
    url = urlsplit(direct["url"])
    if distribution.editable:
        return _describe_editable(distribution, Path(unquote(url.path)), project_root)
    if "vcs_info" in direct:
        return _kept(distribution, "vcs", _vcs_url(direct))
    if url.scheme == "file":
        return _kept(distribution, "path", _own_url(distribution))
    sha256 = _archive_sha256(direct)
    if sha256 is not None and url.path.endswith(".whl"):
        record = installed_record(distribution)
        return _Described(
            _package(distribution, "url", _public(direct["url"]), record, (f"sha256:{sha256}",))
        )
    return _kept(distribution, "url", _public(direct["url"]))


def _describe_editable(distribution: Distribution, folder: Path, project_root: Path) -> _Described:
    """An editable install: of the project itself, whose code is the commit's, or of a folder elsewhere."""
    found = roots(distribution)
    inside = [path for root in found if (path := _inside(root.folder, project_root)) is not None]
    if found and len(inside) == len(found):
        return _kept(distribution, "editable", ":".join(inside))
    if not found or not all(root.names for root in found):
        reason = f"tally can't follow the link to its code in `{folder}`; install it without `--editable`"
        package = _package(distribution, "path", _own_url(distribution))
        return _Described(package, problem=cannot_keep(distribution, reason))
    return _kept(distribution, "path", _own_url(distribution), found)


def _kept(
    distribution: Distribution,
    source: Origin,
    url: str | None,
    found: tuple[Root, ...] = (),
) -> _Described:
    """A package whose wheel goes into the store."""
    try:
        wheel = build(distribution, found)
    except Refused as refused:
        return _Described(_package(distribution, source, url), problem=refused.message)
    # What an editable install of the project consists of is the commit's business.
    record = None if source == "editable" else wheel.record
    package = _package(distribution, source, url, record, wheel=wheel.digest)
    kept = KeptWheel(distribution.name, wheel.digest, distribution, found)
    return _Described(package, kept)


def _package(
    distribution: Distribution,
    source: Origin,
    url: str | None = None,
    record: Digest | None = None,
    hashes: tuple[str, ...] = (),
    wheel: Digest | None = None,
) -> Package:
    return Package(distribution.name, distribution.version, source, url, record, hashes, wheel)


def installed_record(distribution: Distribution) -> Digest | None:
    """The digest of what its installer recorded, None where it recorded nothing."""
    rows = recorded(distribution)
    return None if rows is None else record_digest(essential(rows))


def is_built_here(distribution: Distribution) -> bool:
    """Whether a package of an index was built on this machine, so that a rebuild finds no wheel of it there.

    uv leaves a note; and no public index takes wheels for plain `linux`, which is what builds for it make.
    """
    if (distribution.metadata / "uv_build.json").is_file():
        return True
    wheel = distribution.metadata / "WHEEL"
    return wheel.is_file() and bool(_BUILT_TAG.search(wheel.read_text("utf-8", "replace")))


def _inside(folder: Path, project_root: Path) -> str | None:
    """A folder as a path in the project, `.` for the project itself; None if it lies elsewhere."""
    real = Path(os.path.realpath(folder))
    return real.relative_to(project_root).as_posix() if real.is_relative_to(project_root) else None


def _own_url(distribution: Distribution) -> str:
    """What stands for a path of this machine: a lock is the same wherever the package is."""
    return f"{distribution.name}-{distribution.version}.whl"


def _vcs_url(direct: dict[str, Any]) -> str:
    info = direct["vcs_info"]
    return f"{info.get('vcs', 'git')}+{_public(direct['url'])}@{info.get('commit_id', '')}"


def _public(url: str) -> str:
    """A URL without what may be a secret in it: user, password, query, fragment (rule K1)."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _archive_sha256(direct: dict[str, Any]) -> str | None:
    info = direct.get("archive_info") or {}
    value = str((info.get("hashes") or {}).get("sha256") or str(info.get("hash", "")).removeprefix("sha256="))
    return value if _SHA256.fullmatch(value) else None


def _unsure(found: Iterable[Distribution]) -> tuple[str, ...]:
    """One sentence about packages that the operating system brought: an index need not have them."""
    names = [each.name for each in found if not (each.metadata / "RECORD").is_file()]
    if not names:
        return ()
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return (
        f"{len(names)} packages have no record of their files ({shown}): a rebuild takes them from the "
        "package index, if it has them",
    )

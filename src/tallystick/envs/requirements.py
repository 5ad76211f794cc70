"""Turn a lock into what an installer reads."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from tallystick.digest import Digest
from tallystick.envs.stock import Read, Stocked, check_platform
from tallystick.envs.wheel import file_name
from tallystick.errors import BadRecord, EnvironmentNotRebuilt
from tallystick.patterns import regex
from tallystick.records.environment import Package

_NAME = regex(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = regex(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_URL = regex(r"https?://[^\s'\"\\;]+\.whl")
_HASH = regex(r"sha(256|384|512):[0-9a-f]{64,128}")


def requirement(package: Package, folder: Path, read: Read, stocked: Stocked | None = None) -> str:
    """One line of a requirements file; the wheel of a package that no index has is written to `folder`.

    A package that is `stocked` is taken from there.
    """
    # Nothing of a lock may become an option or a second line: it comes from whoever wrote the repository.
    if not _NAME.fullmatch(package.name) or not _VERSION.fullmatch(package.version):
        raise BadRecord(f"`{package.name} {package.version}` is no package", "environment.lock")
    if package.wheel is not None:
        written = _written(package.wheel, folder, read)
        check_platform(package, written)
        return f"{package.name} @ {written.path.as_uri()} --hash=sha256:{written.sha256}"
    if stocked is not None:
        # By its version, as from an index: an environment says of each package where it came from.
        check_platform(package, stocked)
        return f"{package.name}=={package.version} --hash=sha256:{stocked.sha256}"
    hashes = "".join(f" --hash={text}" for text in package.hashes if _HASH.fullmatch(text))
    if package.source == "index":
        return f"{package.name}=={package.version}{hashes}"
    if package.source == "url" and package.url is not None and _URL.fullmatch(package.url):
        return f"{package.name} @ {package.url}{hashes}"
    raise EnvironmentNotRebuilt(
        f"`{package.name}` {package.version} was installed from a {package.source} and was not kept",
        hint="install it from a package index or as a wheel, and run the stage again",
    )


def alone(settings: Mapping[str, str]) -> dict[str, str]:
    """An installer's settings without whatever would make it look at an index."""
    return {name: value for name, value in settings.items() if name not in _OF_INDEXES}


def _written(digest: Digest, folder: Path, read: Read) -> Stocked:
    data = read(digest)
    path = folder / digest.hex()[:16] / Path(file_name(data)).name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return Stocked(path, sha256(data).hexdigest())


def installer_settings(env: Mapping[str, str]) -> dict[str, str]:
    """The user's own environment for uv: their indexes count, whether told to uv or to pip; files do not."""
    kept = {name: value for name, value in env.items() if name not in _UNWANTED}
    for theirs, ours in _OF_PIP.items():
        if env.get(theirs) and not env.get(ours):
            kept[ours] = env[theirs]
    kept.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return kept | {"UV_NO_CONFIG": "1", "NO_COLOR": "1", "UV_NO_PROGRESS": "1"}


_OF_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_CERT": "SSL_CERT_FILE",
    "PIP_NO_INDEX": "UV_NO_INDEX",
}
"""What pip calls a setting, and what uv calls it."""

_OF_INDEXES = frozenset(
    {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"}
)

_UNWANTED = frozenset(
    {
        "CONDA_PREFIX",
        "PYTHONHOME",
        "PYTHONPATH",
        "UV_CONFIG_FILE",
        "UV_CONSTRAINT",
        "UV_EXCLUDE_NEWER",
        "UV_OVERRIDE",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_PYTHON_DOWNLOADS",
        "UV_SYSTEM_PYTHON",
        "UV_WORKING_DIRECTORY",
        "VIRTUAL_ENV",
    }
)
"""What would make uv look at another project or another Python."""

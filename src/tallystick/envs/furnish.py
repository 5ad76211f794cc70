"""Make a conda environment of the very files that it consisted of: nothing is solved or executed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tallystick.envs.archives import check_machine, file_of, gather, rattler
from tallystick.envs.conda import FOLDER
from tallystick.envs.stock import Stocked
from tallystick.errors import EnvironmentNotRebuilt
from tallystick.files import write_atomic
from tallystick.records.environment import CondaPackage

_SHOWN = 3


def furnish(packages: Sequence[CondaPackage], folder: Path, stocked: Mapping[str, Stocked]) -> None:
    """Make `folder` hold conda's packages, each from its recorded file, which `stocked` may have by its hash.

    Raises EnvironmentNotRebuilt where a file can't be had, is another one, or is for another machine.
    """
    check_machine(packages)
    library = rattler()
    with TemporaryDirectory(dir=folder.parent, prefix=".tally-") as scratch:
        found = gather(packages, Path(scratch) / "files", lambda each: _stocked(each, stocked))
        if found.reasons:
            raise EnvironmentNotRebuilt(
                "; ".join(list(found.reasons.values())[:_SHOWN]),
                hint="another channel or somebody's vault may have it: `tally env vault` keeps packages",
            )
        # Files that several environments shared could be changed through any of them.
        library.unpack(list(found.files.values()), folder, Path(scratch) / "unpacked")
    _restate(packages, folder)


def _stocked(package: CondaPackage, stocked: Mapping[str, Stocked]) -> Iterable[Path]:
    found = stocked.get(package.hash or "")
    return [] if found is None else [found.path]


def _restate(packages: Iterable[CondaPackage], folder: Path) -> None:
    """Let conda's records name the channels again, not the place where the files were for a moment."""
    for package in packages:
        path = folder / FOLDER / f"{package.name}-{package.version}-{package.build}.json"
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise EnvironmentNotRebuilt(
                f"the file of conda's `{package.name}` {package.version} holds another package"
            ) from error
        kind, _, digits = (package.hash or "").partition(":")
        told = {name: text for name, text in value.items() if name not in ("sha256", "md5", "channel")}
        told |= {"url": package.url, "fn": file_of(package), kind: digits}
        for place in ("extracted_package_dir", "link"):
            told.pop(place, None)
        write_atomic(path, json.dumps(told, indent=2).encode())

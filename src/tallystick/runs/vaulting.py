"""Put wheels of packages into the store, made from what is installed: the same bytes on every machine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory

from tallystick.envs.archives import gather
from tallystick.envs.installed import Distribution, distributions
from tallystick.envs.wheel import file_name, pack
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.progress import Progress
from tallystick.project import Project
from tallystick.records.environment import CondaPackage, Package, normalised
from tallystick.records.vault import Vault, VaultedConda, VaultedWheel


@dataclass(frozen=True, slots=True)
class Put:
    """The wheels that were put into the store, and what stood in the way of others, by normalised name."""

    wheels: tuple[VaultedWheel, ...]
    reasons: dict[str, str]


def put_aside(project: Project, packages: Sequence[Package], paths: Sequence[str], progress: Progress) -> Put:
    """Make and store the wheels of those packages that are installed in `paths` as they are recorded."""
    present = {normalised(each.name): each for each in distributions(paths)}
    wheels: list[VaultedWheel] = []
    reasons: dict[str, str] = {}
    folder = project.home / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".tally-") as scratch, project.store.writer() as writer:
        for package in packages:
            path = Path(scratch) / "wheel"
            try:
                _make(package, present.get(normalised(package.name)), path)
            except Refused as refused:
                reasons[normalised(package.name)] = refused.message
                continue
            hashed = writer.add_file(path)
            assert package.record is not None
            wheels.append(
                VaultedWheel(
                    package.name,
                    package.version,
                    package.record,
                    file_name(path),
                    hashed.digest,
                    hashed.size,
                    _sha256(path),
                )
            )
            progress.advance(files=1, size=hashed.size)
    return Put(tuple(wheels), reasons)


def put_conda_aside(
    project: Project,
    packages: Sequence[CondaPackage],
    archives: Mapping[str, Sequence[str]],
    progress: Progress,
) -> tuple[tuple[VaultedConda, ...], dict[str, str]]:
    """Store the files of conda packages, from `archives` (by name) or their channels; and why some lack."""
    folder = project.home / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    kept: list[VaultedConda] = []
    with TemporaryDirectory(dir=folder, prefix=".tally-") as scratch, project.store.writer() as writer:
        found = gather(packages, Path(scratch), lambda each: archives.get(each.name, ()))
        for package in packages:
            path = found.files.get(package.name)
            if path is not None and package.hash is not None:
                hashed = writer.add_file(path.resolve())
                kept.append(VaultedConda(package.hash, path.name, hashed.digest, hashed.size))
                progress.advance(files=1, size=hashed.size)
    return tuple(kept), dict(found.reasons)


def _make(package: Package, distribution: Distribution | None, path: Path) -> None:
    """Write a package's wheel; raise Refused where it can't be, or would not be what is recorded."""
    name = f"`{package.name}` {package.version}"
    if package.record is None:
        raise Refused(f"{name} can't be put aside: its installer left no record of its files")
    if distribution is None or distribution.version != package.version:
        raise Refused(f"{name} is not installed here")
    with path.open("wb") as file:
        record = pack(distribution, file)
    if record != package.record:
        raise Refused(f"{name} is installed here with other files than the recorded ones")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def lacking(project: Project, packages: Iterable[Package], vault: Vault) -> Iterator[Package]:
    """Those packages that neither a lock's own wheel nor a vault keeps, as far as the local store has it."""
    packages = [package for package in packages if package.source != "conda"]
    known = vault.wheels_of(packages)
    absent = project.store.missing(wheel.digest for wheel in known.values())
    for package in packages:
        wheel = known.get(normalised(package.name))
        if package.wheel is None and (wheel is None or wheel.digest in absent):
            yield package


def lacking_conda(project: Project, packages: Iterable[CondaPackage], vault: Vault) -> Iterator[CondaPackage]:
    """Those conda packages whose files no vault keeps, as far as the local store has it."""
    packages = list(packages)
    known = vault.conda_of(packages)
    absent = project.store.missing(file.digest for file in known.values())
    for package in packages:
        file = known.get(package.hash or "")
        if file is None or file.digest in absent:
            yield package

"""The parts of a receipt that say from where: code, environment, machine, features, foreign trackers."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.paths import check_path
from tallystick.patterns import regex
from tallystick.records.fields import Fields
from tallystick.records.image import is_content, is_platform, is_repository

_OBJECT = regex(r"[0-9a-f]{40}|[0-9a-f]{64}")

TrackerKind = Literal["mlflow", "wandb"]
_TRACKERS: dict[str, TrackerKind] = {"mlflow": "mlflow", "wandb": "wandb"}


@dataclass(frozen=True, slots=True)
class Code:
    """The code that ran: `tree` is the git tree of the worktree as it was, dirty or not.

    `submodules` are the commits that were checked out in them, by path.
    """

    commit: str | None
    tree: str
    dirty: bool = False
    left_out: tuple[str, ...] = ()
    submodules: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LockFile:
    """A file in which the project itself writes down its environment."""

    path: str
    digest: Digest


EngineName = Literal["podman", "docker"]
ENGINES: dict[str, EngineName] = {"podman": "podman", "docker": "docker"}
"""The programs that run containers, the preferred one first: it needs no daemon and no rights."""


@dataclass(frozen=True, slots=True)
class Container:
    """The image that a command ran in: `image` as its stage names it, `config` the very one, by its ID.

    A registry has it as `digest` in `repository`, as far as is known; `engine` and `version` ran it.
    """

    image: str
    config: str
    platform: str
    engine: EngineName
    version: str
    repository: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class EnvironmentRef:
    """The environment that ran: its lock's identity, and the lock's text as a blob; or a container.

    `locks` are the project's own lock files, `drift` is where they say otherwise than what was installed,
    `settings` are the native libraries and switches that change numbers.
    """

    digest: Digest | None
    python: str
    platform: str
    lock: Digest | None = None
    container: Container | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    locks: tuple[LockFile, ...] = ()
    drift: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hardware:
    """The machine that ran; memory in bytes; `flags` are what its processor can that changes numbers."""

    cpu: str
    cores: int
    memory: int
    gpus: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Host:
    """The operating system below the run; never the machine's name."""

    system: str
    kernel: str
    libc: str
    container: bool = False


@dataclass(frozen=True, slots=True)
class Feature:
    """A view that was read: `digest` is of its definition."""

    view: str
    version: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Tracker:
    """A run of another tool that was active in the stage's process."""

    kind: TrackerKind
    id: str
    uri: str


def read_code(fields: Fields) -> Code:
    """Read `code` of a receipt."""
    code = Code(
        commit=fields.optional("commit", fields.line),
        tree=fields.line("tree"),
        dirty=fields.flag("dirty"),
        left_out=fields.lines("left_out"),
        submodules=_submodules(fields) if fields.has("submodules") else {},
    )
    for name in (code.commit, code.tree, *code.submodules.values()):
        if name is not None and not _OBJECT.fullmatch(name):
            fields.bad(f"`{name[:80]}` is no git object's name")
    return code


def _submodules(fields: Fields) -> dict[str, str]:
    table = fields.fields("submodules")
    return {check_path(path, fields.source): table.line(path) for path in table.value}


def read_environment(fields: Fields) -> EnvironmentRef:
    """Read `environment` of a receipt."""
    return EnvironmentRef(
        digest=fields.optional("digest", fields.digest),
        python=fields.line("python"),
        platform=fields.line("platform"),
        lock=fields.optional("lock", fields.digest),
        container=fields.optional("container", lambda key: read_container(fields.fields(key, key))),
        settings=_settings(fields) if fields.has("settings") else {},
        locks=tuple(_lock_file(each) for each in fields.each("locks")),
        drift=fields.lines("drift"),
    )


def read_container(fields: Fields) -> Container:
    """Read the container of an environment; engines are asked for what it names."""
    fields.only("image", "config", "platform", "engine", "version", "repository", "digest")
    found = Container(
        image=fields.line("image"),
        config=fields.line("config"),
        platform=fields.line("platform"),
        engine=fields.choice("engine", ENGINES),
        version=fields.line("version"),
        repository=fields.optional("repository", fields.line),
        digest=fields.optional("digest", fields.line),
    )
    for name, value, is_good in (
        ("config", found.config, is_content),
        ("platform", found.platform, is_platform),
        ("repository", found.repository, is_repository),
        ("digest", found.digest, is_content),
    ):
        if value is not None and not is_good(value):
            fields.bad(f"`{name}` of the container can't be `{value[:80]}`", name)
    return found


def _settings(fields: Fields) -> dict[str, str]:
    table = fields.fields("settings")
    return {name: table.line(name) for name in table.value}


def _lock_file(fields: Fields) -> LockFile:
    fields.only("path", "digest")
    return LockFile(fields.path("path"), fields.digest("digest"))


def read_hardware(fields: Fields) -> Hardware:
    """Read `hardware` of a receipt."""
    return Hardware(
        cpu=fields.line("cpu"),
        cores=fields.integer("cores"),
        memory=fields.integer("memory"),
        gpus=fields.lines("gpus"),
        drivers=fields.lines("drivers"),
        flags=fields.lines("flags"),
    )


def read_host(fields: Fields) -> Host:
    """Read `host` of a receipt."""
    fields.only("system", "kernel", "libc", "container")
    return Host(fields.line("system"), fields.line("kernel"), fields.line("libc"), fields.flag("container"))


def read_feature(fields: Fields) -> Feature:
    """Read one of the `features` of a receipt."""
    fields.only("view", "version", "digest")
    return Feature(fields.line("view"), fields.line("version"), fields.digest("digest"))


def read_tracker(fields: Fields) -> Tracker:
    """Read one of the `trackers` of a receipt."""
    fields.only("kind", "id", "uri")
    return Tracker(fields.choice("kind", _TRACKERS), fields.line("id"), fields.line("uri"))

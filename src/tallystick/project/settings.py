"""The settings of a project: the shared file's, and the user's own above them."""

import re
from collections.abc import Mapping

from tallystick.frozen import dataclass
from tallystick.git.plumbing import Git
from tallystick.patterns import regex
from tallystick.project import SHARED_CONFIG
from tallystick.records import config as config_record
from tallystick.records.config import Config, redacted

MACHINE = "tally."
"""How the names of the user's own settings begin in `git config`."""

HIDDEN = "***"
_SECRET = regex(
    r"key|secret|token|password|passwd|passphrase|credential|signature|sas|connection-?string", re.IGNORECASE
)

Entries = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `shared` says that it stands in `.tallyconfig`. Secret values are hidden."""

    key: str
    value: str
    shared: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Settings that are to be written together, or taken out where the value is None."""

    values: Mapping[str, str | None]
    shared: bool


def listed(git: Git) -> tuple[Setting, ...]:
    """Every setting of the project, the user's own last: where both name a key, those count."""
    shared, machine = _entries(git)
    both = [(pairs, is_shared) for pairs, is_shared in ((shared, True), (machine, False))]
    return tuple(
        Setting(key, presentable(key, value), is_shared) for pairs, is_shared in both for key, value in pairs
    )


def checked(git: Git, *changes: Change) -> Config:
    """What the settings would be after the changes; raise BadRecord if they made no sense."""
    shared, machine = _entries(git)
    for change in changes:
        entries = shared if change.shared else machine
        names = {key_name(key) for key in change.values}
        entries[:] = [(key, value) for key, value in entries if key not in names]
        entries += [(key_name(key), value) for key, value in change.values.items() if value is not None]
    return config_record.from_entries(shared, machine)


def apply(git: Git, *changes: Change) -> Config:
    """Write changes that make sense, and put the shared file into git's index."""
    config = checked(git, *changes)
    for change in changes:
        file = git.root / SHARED_CONFIG if change.shared else None
        for key, value in change.values.items():
            name = key if change.shared else MACHINE + key
            if value is None:
                git.unset_config(name, file)
            else:
                git.set_config(name, value, file)
    if any(change.shared for change in changes):
        git.stage([SHARED_CONFIG])
    return config


def key_name(key: str) -> str:
    """A key as git lists it: only what stands between the first and the last dot keeps its case."""
    section, dot, rest = key.partition(".")
    middle, last_dot, name = rest.rpartition(".")
    return f"{section.lower()}{dot}{middle}{last_dot}{name.lower()}"


def presentable(key: str, value: str) -> str:
    """A setting's value without secrets, for screens and logs."""
    if _SECRET.search(key.rpartition(".")[2]):
        return HIDDEN
    return redacted(value)


def _entries(git: Git) -> tuple[Entries, Entries]:
    return git.config_entries(git.root / SHARED_CONFIG, ""), git.config_entries(None, MACHINE)

"""Name the places where blobs are kept: add, list, remove and choose remotes."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tallystick.errors import Refused
from tallystick.files import translated
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.project import Project
from tallystick.project.settings import Change, apply, checked, listed, presentable
from tallystick.records.config import RemoteConfig, redacted
from tallystick.store import RemoteStore

DEFAULT = "core.remote"
Values = dict[str, str | None]

_NAME = regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Remote:
    """One remote as its settings describe it, secrets hidden."""

    name: str
    url: str
    is_default: bool
    shared: bool
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AddedRemote(Remote):
    """A remote that has just been named.

    `creates_exclusively` says whether it refuses to write a name twice; None where that was not asked, or
    nothing may be written.
    """

    creates_exclusively: bool | None


@dataclass(frozen=True, slots=True)
class Remotes:
    """All remotes of a project, by name."""

    remotes: tuple[Remote, ...]


@dataclass(frozen=True, slots=True)
class RemovedRemote:
    """A remote that is no longer named here; its blobs are where they were."""

    name: str
    url: str
    default: str | None


def add_remote(
    project: Project,
    name: str,
    url: str,
    *,
    folder: Path,
    options: Mapping[str, str] | None = None,
    shared: bool = True,
    default: bool = False,
    force: bool = False,
    reach: bool = True,
) -> AddedRemote:
    """Make a folder or bucket a store, and name it in the settings.

    A relative `url` starts in `folder`. Options go into the user's own settings, never into the shared ones.
    With `reach` the store is made, or found, first: a name that leads nowhere helps nobody.
    """
    _check_name(project, name, force)
    own: Values = {f"remote.{name}.{key}": value for key, value in (options or {}).items()}
    values: Values = {f"remote.{name}.url": _place(project, url, folder)}
    if default or project.config.default_remote is None:
        values[DEFAULT] = name
    changes = _changes(project, name, values if shared else {}, own if shared else {**values, **own})
    config = checked(project.git, *changes)
    remote = config.remotes[name]
    exclusive = None
    if reach:
        store = RemoteStore.create(remote.url, remote.options, _cache(project, name))
        exclusive = store.creates_exclusively()
    apply(project.git, *changes)
    found = _described(remote, config.default_remote)
    return AddedRemote(found.name, found.url, found.is_default, found.shared, found.options, exclusive)


def list_remotes(project: Project) -> Remotes:
    """What the settings say of every remote; none is contacted."""
    config = project.config
    found = sorted(config.remotes.values(), key=lambda remote: remote.name)
    return Remotes(tuple(_described(remote, config.default_remote) for remote in found))


def remove_remote(project: Project, name: str) -> RemovedRemote:
    """Forget a remote and the copy of its index; nothing is deleted at the remote itself."""
    remote = _known(project, name)
    was_default = project.config.default_remote == name
    changes = _changes(project, name, {}, {})
    if was_default:
        chosen = [
            setting for setting in listed(project.git) if setting.key == DEFAULT and setting.value == name
        ]
        changes += tuple(Change({DEFAULT: None}, setting.shared) for setting in chosen)
    config = apply(project.git, *changes)
    cache = _cache(project, name)
    if cache.is_dir():
        with translated(cache):
            shutil.rmtree(cache)
    return RemovedRemote(name, redacted(remote.url), config.default_remote)


def default_remote(project: Project, name: str | None = None, *, shared: bool = True) -> Remote:
    """Choose the remote that is meant when none is named; without a name say which it is."""
    if name is None:
        current = project.config.default_remote
        if current is None:
            raise Refused("no remote is the default one", hint="choose one with `tally remote default NAME`")
        return _described(_known(project, current), current)
    remote = _known(project, name)
    apply(project.git, Change({DEFAULT: name}, shared))
    return _described(remote, name)


def _check_name(project: Project, name: str, force: bool) -> None:
    if _NAME.fullmatch(name) is None:
        raise Refused(f"`{name}` can't be a remote's name", hint="use letters, digits, `-` and `_`")
    if name in project.config.remotes and not force:
        url = redacted(project.config.remotes[name].url)
        raise Refused(f"there is a remote `{name}` already: {url}", hint="replace it with `--force`")


def _place(project: Project, url: str, folder: Path) -> str:
    """The remote's URL; a path as an absolute one, so that it means the same in every clone."""
    if "://" in url or "::" in url:
        return url
    if not url:
        raise Refused("the remote's folder or URL is empty")
    path = os.path.abspath(folder / url)
    root = os.path.realpath(project.git.root)
    if Path(os.path.realpath(path)).is_relative_to(root):
        raise Refused(f"`{path}` lies in the project itself", hint="choose a folder outside of it")
    return path


def _changes(project: Project, name: str, shared: Values, own: Values) -> tuple[Change, ...]:
    """The settings that a remote gets, in place of all that it had."""
    changes = []
    for is_shared, values in ((True, shared), (False, own)):
        former = _written(project, name, is_shared)
        if former or values:
            changes.append(Change({**dict.fromkeys(former), **values}, is_shared))
    return tuple(changes)


def _written(project: Project, name: str, shared: bool) -> list[str]:
    """The keys that describe a remote in one of the two places for settings."""
    found = (setting.key for setting in listed(project.git) if setting.shared == shared)
    return [key for key in found if key.startswith(f"remote.{name}.")]


def _known(project: Project, name: str) -> RemoteConfig:
    remote = project.config.remotes.get(name)
    if remote is None:
        known = ", ".join(sorted(project.config.remotes)) or "none"
        raise Refused(f"there is no remote `{name}` (known: {known})", hint="see `tally remote list`")
    return remote


def _cache(project: Project, name: str) -> Path:
    return project.home / "remotes" / name


def _described(remote: RemoteConfig, default: str | None) -> Remote:
    options = {key: presentable(key, value) for key, value in sorted(remote.options.items())}
    return Remote(remote.name, redacted(remote.url), remote.name == default, remote.shared, options)

"""Settings: what the shared `.tallyconfig` may say, and what only the user may (rules K1, K2)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from urllib.parse import parse_qsl, urlsplit

from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.fields import single_line

SHARED = ".tallyconfig"
MACHINE = "git config"

SCHEMES = frozenset(
    ("file", "s3", "gs", "gcs", "az", "abfs", "abfss", "sftp", "ssh", "http", "https", "memory")
)

SHARED_OPTIONS = frozenset(("url", "region", "storageclass"))
"""What a repository may say of a remote: nothing that steers a connection or names a credential."""

_REMOTE_NAME = regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_OPTION = regex(r"[a-z][a-z0-9-]{0,63}")
_REPOSITORY = regex(r"[A-Za-z0-9_-]{1,128}")
_SCHEME = regex(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")
_CONNECTION = regex(
    r"endpoint|profile|credential|key|secret|token|password|passwd|anon|proxy|helper|command|program|verify|cert|tls|ssl",
    re.IGNORECASE,
)
"""Words in a key that no repository may set for whoever clones it, whatever the section."""

_OWN = regex(r"(mlflow|repro|container)\.", re.IGNORECASE)
"""Sections that say where the user's runs are sent to, and what may be executed besides commands."""

_SCP = regex(r"[\w.-]+@[\w.-]+:(?!//)")
_SIGNATURE = regex(
    r"x-amz-(signature|credential|security-token)|x-goog-(signature|credential)|sig|signature|se|"
    r"awsaccesskeyid|access_?token|token|password|passwd|secret|(api|access|account|secret)_?key|credential",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """One remote; `shared` says that its URL comes from the repository, not from the user."""

    name: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    shared: bool = True


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one project, the user's own above the shared ones."""

    remotes: Mapping[str, RemoteConfig] = field(default_factory=dict)
    default_remote: str | None = None
    repository: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)


Entries = Sequence[tuple[str, str]]


LINKS = ("reflink,copy", "reflink", "copy", "hardlink", "symlink")
"""How large files come out of the store; the first three share blocks where the file system can."""

ENGINES = ("podman", "docker")
"""The programs that run containers."""


def from_entries(shared: Entries, machine: Entries = ()) -> Config:
    """Put settings together; raise BadRecord for what may not be said where it is said."""
    for key, value in shared:
        check_shared(key, value)
    for key, value in machine:
        check_machine(key, value)
    values = {_canonical(key): value for key, value in (*shared, *machine)}
    remotes = _remotes(dict_of(shared), dict_of(machine))
    default = values.get("core.remote")
    if default is None and len(remotes) == 1:
        default = next(iter(remotes))
    return Config(remotes, default, values.get("core.repository"), values)


def dict_of(entries: Entries) -> dict[str, str]:
    """Entries as git would answer for each key: the last one counts."""
    return {_canonical(key): value for key, value in entries}


def _canonical(key: str) -> str:
    """Section and name in lower case, as git compares them; what stands between them as it is."""
    section, _, rest = key.partition(".")
    middle, dot, name = rest.rpartition(".")
    return f"{section.lower()}.{middle}{dot}{name.lower()}"


def check_shared(key: str, value: str) -> None:
    """Raise BadRecord unless a setting may stand in a file that git tracks."""
    name, option = _remote_key(key, SHARED)
    word = option if option is not None else key.rpartition(".")[2]
    own = _CONNECTION.search(word) or _OWN.match(key)
    if own or (option is not None and option not in SHARED_OPTIONS):
        raise BadRecord(f"`{key}` counts only from the user's own settings", SHARED, hint=_local(key))
    if option == "url":
        _refuse_secrets(name, check_url(value, SHARED))
    else:
        _check_value(_canonical(key), value, SHARED)


def check_machine(key: str, value: str) -> None:
    """Raise BadRecord for a malformed setting of the user's own."""
    _, option = _remote_key(key, MACHINE)
    if option == "url":
        check_url(value, MACHINE)
    else:
        _check_value(_canonical(key), value, MACHINE)


def _local(key: str) -> str:
    return f"tally config --local {key} <value>"


def _remote_key(key: str, source: str) -> tuple[str, str | None]:
    """The remote's name and its option; no option for a key that is not a remote's."""
    section, _, rest = key.partition(".")
    if section.lower() != "remote":
        return "", None
    name, _, option = rest.rpartition(".")
    if not _REMOTE_NAME.fullmatch(name) or not _OPTION.fullmatch(option.lower()):
        raise BadRecord(f"`{key[:120]}` is not a remote's setting", source)
    return name, option.lower()


def _check_value(key: str, value: str, source: str) -> None:
    if not single_line(value) or len(value) > 4096:
        raise BadRecord(f"`{key}` must be a text of one line", source)
    if key == "core.repository" and not _REPOSITORY.fullmatch(value):
        raise BadRecord("`core.repository` must be an id of letters and digits", source)
    if key == "core.jobs" and not (value.isascii() and value.isdigit() and 1 <= int(value) <= 256):
        raise BadRecord("`core.jobs` must be a number from 1 to 256", source)
    if key == "repro.unpickle" and value not in ("true", "false"):
        raise BadRecord("`repro.unpickle` must be `true` or `false`", source)
    if key == "container.engine" and value not in ENGINES:
        raise BadRecord(f"`container.engine` must be one of {', '.join(ENGINES)}", source)
    if key == "store.link" and value not in LINKS:
        raise BadRecord(f"`store.link` must be one of {', '.join(f'`{link}`' for link in LINKS)}", source)


def check_url(url: str, source: str = "") -> str:
    """Return a remote's URL or path unchanged, or raise BadRecord."""
    if not url.strip() or not single_line(url) or len(url) > 4096:
        raise BadRecord("a remote's URL is empty, too long or holds control characters", source)
    if "::" in url:
        raise BadRecord(f"chained URLs are not allowed: `{redacted(url)}`", source)
    if _SCP.match(url):
        raise BadRecord(f"`{url[:120]}` is no URL", source, hint="write it as `sftp://user@host/path`")
    if url.startswith("-"):
        raise BadRecord(f"`{redacted(url)}` looks like an option, not a remote", source)
    scheme = _SCHEME.match(url)
    if scheme is not None and scheme[0].lower() not in SCHEMES:
        known = ", ".join(sorted(SCHEMES))
        raise BadRecord(
            f"remotes of kind `{scheme[0][:40]}` are not known", source, hint=f"known: {known}, a path"
        )
    return url


def _refuse_secrets(name: str, url: str) -> None:
    if redacted(url) != url:
        raise BadRecord(
            f"the URL of remote `{name}` holds a password or signature: `{redacted(url)}`",
            SHARED,
            hint=_local(f"remote.{name}.url"),
        )


def redacted(url: str) -> str:
    """A URL that can be shown to anybody: no password, no signature."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return url.partition("://")[0] + "://***"
    login, at, host = parts.netloc.rpartition("@")
    hidden = _hidden_login(parts.scheme, login)
    signed = any(_SIGNATURE.fullmatch(key) for key, _ in query)
    if hidden == login and not signed:
        return url
    return parts._replace(netloc=hidden + at + host, query="***" if signed else parts.query).geturl()


def _hidden_login(scheme: str, login: str) -> str:
    user, colon, _ = login.partition(":")
    if colon:
        return f"{user}:***"
    # What stands alone before the @ of a web address is a token as often as a name.
    return "***" if login and scheme in ("http", "https") else login


def _remotes(shared: Mapping[str, str], machine: Mapping[str, str]) -> dict[str, RemoteConfig]:
    """Every remote that has a URL somewhere."""
    merged = {**shared, **machine}
    names = {_remote_key(key, SHARED)[0] for key in merged if key.startswith("remote.")}
    return {
        name: RemoteConfig(
            name=name,
            url=merged[f"remote.{name}.url"],
            options=_options(name, merged),
            shared=f"remote.{name}.url" not in machine,
        )
        for name in sorted(names)
        if f"remote.{name}.url" in merged
    }


def _options(name: str, merged: Mapping[str, str]) -> dict[str, str]:
    prefix = f"remote.{name}."
    return {
        key.removeprefix(prefix): value
        for key, value in sorted(merged.items())
        if key.startswith(prefix) and "." not in key.removeprefix(prefix) and key != f"{prefix}url"
    }

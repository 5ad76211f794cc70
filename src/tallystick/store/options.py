"""What a remote's options are to the library that reaches it."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from tallystick.errors import Refused

Meaning = Callable[[str], dict[str, Any]]
"""Turns an option's value into settings of the library."""

_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0")


def meant(scheme: str, options: Mapping[str, str]) -> dict[str, Any]:
    """The library's settings for a remote's options; raise Refused for one that this kind lacks."""
    known = _KINDS.get(scheme, {})
    settings: dict[str, Any] = {}
    for option, value in options.items():
        meaning = known.get(_plain(option))
        if meaning is None:
            names = f"known: {', '.join(sorted(known))}" if known else "it takes none"
            raise Refused(f"a remote of kind `{scheme}` has no setting `{option}`", hint=names)
        for name, part in meaning(value).items():
            settings[name] = {**settings.get(name, {}), **part} if isinstance(part, dict) else part
    return settings


def _plain(option: str) -> str:
    """An option by the name that counts: case, `-` and `_` do not."""
    return option.lower().replace("-", "").replace("_", "")


def _text(name: str) -> Meaning:
    return lambda value: {name: value}


def _client(name: str) -> Meaning:
    return lambda value: {"client_kwargs": {name: value}}


def _path(name: str) -> Meaning:
    return lambda value: {name: os.path.expanduser(value)}


def _truth(option: str, value: str) -> bool:
    if value.lower() not in _YES + _NO:
        raise Refused(f"the remote's setting `{option}` is `{value}`", hint="known: true, false")
    return value.lower() in _YES


def _port(value: str) -> dict[str, Any]:
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 1 << 16):
        raise Refused(f"the remote's setting `port` is `{value}`", hint="a number from 1 to 65535")
    return {"port": int(value)}


_S3: Mapping[str, Meaning] = {
    "endpointurl": _text("endpoint_url"),
    "profile": _text("profile"),
    "accesskeyid": _text("key"),
    "secretaccesskey": _text("secret"),
    "sessiontoken": _text("token"),
    "region": _client("region_name"),
    "storageclass": lambda value: {"s3_additional_kwargs": {"StorageClass": value}},
    "anon": lambda value: {"anon": _truth("anon", value)},
}
_GOOGLE: Mapping[str, Meaning] = {
    "endpointurl": _text("endpoint_url"),
    "project": _text("project"),
    "keyfile": _path("token"),
    "anon": lambda value: {"token": "anon"} if _truth("anon", value) else {},
}
_AZURE: Mapping[str, Meaning] = {
    "accountname": _text("account_name"),
    "accountkey": _text("account_key"),
    "connectionstring": _text("connection_string"),
    "sastoken": _text("sas_token"),
    "tenantid": _text("tenant_id"),
    "clientid": _text("client_id"),
    "clientsecret": _text("client_secret"),
    "anon": lambda value: {"anon": _truth("anon", value)},
}
_SFTP: Mapping[str, Meaning] = {
    "user": _text("username"),
    "port": _port,
    "keyfile": lambda value: {"client_keys": [os.path.expanduser(value)]},
    "passphrase": _text("passphrase"),
    "password": _text("password"),
    "knownhosts": _path("known_hosts"),
}
_KINDS: Mapping[str, Mapping[str, Meaning]] = {
    "s3": _S3,
    "gs": _GOOGLE,
    "gcs": _GOOGLE,
    "az": _AZURE,
    "abfs": _AZURE,
    "abfss": _AZURE,
    "sftp": _SFTP,
    "ssh": _SFTP,
}

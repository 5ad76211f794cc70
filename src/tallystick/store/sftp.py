"""A remote store in a folder of another machine, reached by SFTP: the only importer of sshfs."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncssh
import sshfs

from tallystick.digest import Buffer
from tallystick.errors import Refused, RemoteUnreachable, TallyError
from tallystick.files import TEMPORARY, temporary_name
from tallystick.records.config import redacted
from tallystick.store.bucket import Bucket
from tallystick.store.options import meant
from tallystick.store.parallel import ordered

_JOBS = 8
"""Folders that are listed at a time."""

_DEFAULTS = {
    # sshfs would trust any host; asyncssh by itself goes by the user's own known_hosts and configuration.
    "known_hosts": (),
    "connect_timeout": 15,
    "keepalive_interval": 15,
}


class Sftp(Bucket):
    """Files in a folder; each gets its name, which nobody else can then take, once all of it is there."""

    def __init__(self, url: str, settings: Mapping[str, Any]) -> None:
        super().__init__(None, unquote(urlsplit(url).path), url, "sftp")
        with self._translated(""):
            self._fs = sshfs.SSHFileSystem(**settings)

    def create(self) -> None:
        """Make the folder."""
        with self._translated(""):
            self._fs.makedirs(self._root, exist_ok=True)

    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """A file's bytes, or a range of them."""
        with self._translated(name), self._fs.open(self._path(name), "rb") as file:
            if start:
                file.seek(start)
            data: bytes = file.read(-1 if end is None else max(0, end - (start or 0)))
        return data

    def _create(self, path: str, data: Buffer) -> bool:
        folder = path.rpartition("/")[0]
        temporary = f"{folder}/{temporary_name()}"
        self._fs.makedirs(folder, exist_ok=True)
        try:
            self._write(temporary, data)
            return self._give_name(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                self._fs.rm_file(temporary)

    def _write(self, path: str, data: Buffer) -> None:
        """Create a file, durable on return where the server can be told to see to that."""
        with self._fs.open(path, "xb") as file:
            file.write(bytes(data))
            with suppress(asyncssh.SFTPOpUnsupported):
                file.fsync()

    def _give_name(self, temporary: str, path: str) -> bool:
        """Rename as SFTP itself does, which never replaces a file; False if the name is taken."""
        renaming = self._rename(temporary, path)
        try:
            asyncio.run_coroutine_threadsafe(renaming, self._fs.loop).result()
        except asyncssh.SFTPError:
            if self._fs.exists(path):
                return False
            raise
        return True

    async def _rename(self, temporary: str, path: str) -> None:
        async with self._fs._pool.get() as channel:
            await channel.rename(temporary, path)

    def _find(self, prefix: str) -> dict[str, Any]:
        """All finished files below a prefix, folder by folder, several at a time."""
        found: dict[str, Any] = {}
        folders = [self._path(prefix.rstrip("/"))]
        while folders:
            listed = [info for infos in ordered(self._fs.ls, folders, _JOBS) for info in infos]
            folders = [info["name"] for info in listed if info["type"] == "directory"]
            for info in listed:
                if info["type"] == "file" and not info["name"].rpartition("/")[2].startswith(TEMPORARY):
                    found[info["name"]] = info
        return found

    def _error(self, name: str, error: Exception) -> TallyError:
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return RemoteUnreachable(
                f"`{self.url}`: its host key is not known, or not the one that is",
                hint="connect once with `ssh` and compare the key, or name a file: `-o known-hosts=FILE`",
            )
        return super()._error(name, error)


def open_backend(url: str, options: Mapping[str, str]) -> Sftp:
    """The folder of an sftp:// URL."""
    try:
        parts = urlsplit(url)
        named = {"host": parts.hostname, "port": parts.port, "username": parts.username}
    except ValueError as error:
        raise Refused(f"`{redacted(url)}` can't be read as a URL") from error
    if not parts.hostname or not parts.path.strip("/"):
        raise Refused(f"`{redacted(url)}` names no host or no folder", hint="sftp://user@host/path/to/folder")
    password = unquote(parts.password) if parts.password else None
    given = {**named, "password": password, **meant("sftp", options)}
    return Sftp(url, {**_DEFAULTS, **{name: value for name, value in given.items() if value is not None}})

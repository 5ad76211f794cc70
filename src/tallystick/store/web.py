"""A remote store that a web server shows: it can be read, and not written to."""

import re
from collections.abc import Mapping
from functools import cached_property
from urllib.parse import urlsplit

from tallystick.digest import Buffer
from tallystick.errors import ObjectMissing, Refused, RemoteUnreachable
from tallystick.patterns import regex
from tallystick.records.config import redacted
from tallystick.store.backend import MARKER
from tallystick.store.bucket import MOVED, Bucket, reached
from tallystick.store.options import meant
from tallystick.store.parallel import ordered

_JOBS = 16
"""Questions to the server at a time."""

_DEPTH = 2
"""Our files lie no deeper; a page may name itself as a folder in itself."""

_NAME = regex(r"[0-9A-Za-z_][0-9A-Za-z._-]{0,255}")
"""Names of ours; a page that lists a folder holds other links besides."""

# The user's proxies and ~/.netrc count, as they do for curl and git.
_DEFAULTS = {"client_kwargs": {"trust_env": True}}


class Web(Bucket):
    """Files below a URL; the server must show what its folders hold, as most do by a setting."""

    def create(self) -> None:
        """Make nothing."""

    def put_new(self, name: str, data: Buffer) -> bool:  # noqa: ARG002
        """Write nothing: False if the name is taken, else Refused."""
        if self.size(name) is None:
            raise self._read_only()
        return False

    def delete(self, name: str) -> None:
        """Delete nothing: fine if it is not there, else Refused."""
        if self.size(name) is not None:
            raise self._read_only()

    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """A file's bytes, or a range of them, also from a server that knows no ranges."""
        if start and not self._knows_ranges:
            return self.get(name)[start:end]
        return super().get(name, start, end)[: None if end is None else end - (start or 0)]

    def size(self, name: str) -> int | None:
        """How many bytes a file has; None if it is not there."""
        try:
            with self._translated(name):
                found = self._fs.info(self._path(name))
        except ObjectMissing:
            return None
        if found["size"] is None:
            return len(self.get(name))
        return int(found["size"])

    def listing(self, prefix: str) -> dict[str, int]:
        """The files below a prefix, with their sizes: a page for each folder, a question for each file."""
        files: list[str] = []
        folders = [prefix]
        while folders:
            pages = ordered(self._page, folders, _JOBS)
            names = [folder + name for folder, page in zip(folders, pages, strict=True) for name in page]
            folders = [name for name in names if name.endswith("/") and name.count("/") <= _DEPTH]
            files += [name for name in names if not name.endswith("/")]
        if not files and MARKER not in self._page(""):
            if self.size(MARKER) is None:
                raise RemoteUnreachable(f"`{self.url}` is no Tallystick store any more", hint=MOVED)
            raise RemoteUnreachable(
                f"`{self.url}` does not show what its folders hold",
                hint="have the web server list folders, or read the folder or bucket behind it",
            )
        sizes = zip(files, ordered(self.size, files, _JOBS), strict=True)
        return {name: size for name, size in sizes if size is not None}

    @cached_property
    def _knows_ranges(self) -> bool:
        """Whether the server sends the part that is asked for; one that doesn't sends all, and no error."""
        return len(super().get(MARKER, 1, 2)) == 1

    def _page(self, folder: str) -> list[str]:
        """What a folder holds, folders in it with a slash at the end; nothing if it is not there."""
        try:
            with self._translated(folder):
                links = self._fs.ls(self._path(folder), detail=False)
        except ObjectMissing:
            return []
        named = [re.fullmatch(r".*?([^/]*)(/?)", urlsplit(link).path) for link in links]
        return [name[1] + name[2] for name in named if name is not None and _NAME.fullmatch(name[1])]

    def _read_only(self) -> Refused:
        return Refused(f"`{self.url}` can only be read", hint="push to the folder or bucket behind it")


def open_backend(url: str, options: Mapping[str, str]) -> Web:
    """What lies below an http:// or https:// URL."""
    parts = urlsplit(url)
    if not parts.netloc or parts.query or parts.fragment:
        raise Refused(f"`{redacted(url)}` is not the URL of a folder")
    filesystem, root = reached(url, meant(parts.scheme.lower(), options), _DEFAULTS)
    return Web(filesystem, root, url, parts.scheme.lower())

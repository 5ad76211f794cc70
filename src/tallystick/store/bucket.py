"""A remote store in a bucket, or wherever else fsspec reaches: the only importer of fsspec."""

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, TypeGuard
from urllib.parse import unquote, urlsplit

import fsspec

from tallystick.digest import Buffer
from tallystick.errors import (
    AccessDenied,
    DiskFull,
    ObjectMissing,
    Refused,
    RemoteBusy,
    RemoteUnreachable,
    TallyError,
)
from tallystick.records.config import redacted
from tallystick.store.backend import MARKER, Backend
from tallystick.store.options import meant

_CONDITIONAL = {"s3", "gs", "gcs", "az", "abfs", "abfss", "memory"}
"""Where a write with `mode="create"` is one atomic step; elsewhere we look first, our names being unique."""
_FULL = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "507"}
_BUSY = {
    "SlowDown",
    "ServiceUnavailable",
    "ServerBusy",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequests",
    "429",
    "503",
}
_DENIED = ("Credential", "Forbidden", "Unauthorized", "ProfileNotFound", "Authentication", "AccessDenied")

_ONCE_MORE = "if the address and the network are right, repeat the command: what arrived is kept"
_USUAL_PLACES = (
    "looked in the environment (`AWS_ACCESS_KEY_ID` …), `~/.aws` and the machine's role; "
    "of a public bucket say `tally config --local remote.<name>.anon true`"
)
MOVED = "its `tally-store.json` is gone: was it moved, or emptied?"

_S3_CONNECTION = {
    "connect_timeout": 10,
    "read_timeout": 60,
    "max_pool_connections": 64,
    "retries": {"max_attempts": 2, "mode": "standard"},
    # Some servers send the whole object's checksum with a range of it; every byte is verified by us anyway.
    "response_checksum_validation": "when_required",
}


_CONNECTIONS: Mapping[str, Mapping[str, Any]] = {"s3": {"config_kwargs": _S3_CONNECTION}}
"""How a scheme's library is set up where the user says nothing else."""


_SOURCES = ("http", "https", "s3", "gs", "gcs", "az", "abfs", "abfss")
_KNOWN = "a path, http(s)://, s3://, gs://, az://"
_PIECE = 8 << 20
"""Bytes of a file in a bucket that are read at a time."""


_PARTS: Mapping[str, Mapping[str, int]] = {"s3": {"chunksize": 8 << 20, "max_concurrency": 4}}
"""Where a library can send a large file in parts: side by side, and each again by itself if it fails."""


class Bucket(Backend):
    """Files in a bucket; listings are never taken from a cache."""

    def __init__(self, filesystem: Any, root: str, url: str, scheme: str) -> None:
        self._fs = filesystem
        self._root = root.rstrip("/")
        self._scheme = scheme
        self.url = redacted(url).rstrip("/")

    def create(self) -> None:
        """Make nothing: a bucket must exist."""

    def heed(self, busy: Callable[[], None]) -> None:
        """Tell of each answer to slow down: before it raises, the S3 library asks again up to ten times."""

        def hear(response: tuple[Any, Mapping[str, Any]] | None, **_: Any) -> None:
            if response is not None and response[1].get("Error", {}).get("Code") in _BUSY:
                busy()

        if self._scheme == "s3":
            with self._translated(MARKER):
                self._fs.connect().meta.events.register("needs-retry.s3", hear)

    def put_new(self, name: str, data: Buffer) -> bool:
        """Write a file; False if the name is taken."""
        try:
            return self._create(self._path(name), bytes(data))
        except Exception as error:
            if _is_taken(error):
                return False
            if isinstance(error, FileNotFoundError):
                raise self._no_bucket() from error
            raise self._error(name, error) from error

    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """A file's bytes, or a range of them."""
        with self._translated(name):
            data: bytes = self._fs.cat_file(self._path(name), start=start, end=end)
        return data

    def size(self, name: str) -> int | None:
        """How many bytes a file has; None if it is not there."""
        try:
            with self._translated(name):
                found = self._fs.info(self._path(name))
        except ObjectMissing:
            return None
        return None if found["type"] == "directory" else int(found["size"])

    def listing(self, prefix: str) -> dict[str, int]:
        """The files below a prefix, with their sizes."""
        found: dict[str, Any] = {}
        with suppress(ObjectMissing), self._translated(prefix):
            found = self._find(prefix)
        if not found and self.size(MARKER) is None:
            raise RemoteUnreachable(f"`{self.url}` is no Tallystick store any more", hint=MOVED)
        skip = len(self._root) + 1
        files = ((path.lstrip("/") if self._root[:1] != "/" else path, info) for path, info in found.items())
        return {path[skip:]: int(info["size"]) for path, info in files if info["type"] == "file"}

    def delete(self, name: str) -> None:
        """Remove a file; fine if it is not there."""
        with suppress(ObjectMissing), self._translated(name):
            self._fs.rm_file(self._path(name))

    @contextmanager
    def reading(self) -> Iterator[BinaryIO]:
        """Read the place itself, which is a file, from its start to its end."""
        # Pieces from an ordinary web server come in one answer: not all of them know ranges.
        pieces = 0 if self._scheme in ("http", "https") else _PIECE
        with self._translated(self._root), self._fs.open(self._root, "rb", block_size=pieces) as file:
            yield file

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _find(self, prefix: str) -> dict[str, Any]:
        if self._scheme == "s3":
            # With a prefix s3fs makes one request, and none to see whether an empty folder is a file.
            return dict(self._fs.find(self._root, detail=True, prefix=prefix))
        return dict(self._fs.find(self._path(prefix.rstrip("/")), detail=True))

    def _create(self, path: str, data: bytes) -> bool:
        """Write a file that appears under its name whole."""
        if self._scheme in _CONDITIONAL:
            self._fs.pipe_file(path, data, mode="create", **_PARTS.get(self._scheme, {}))
            return True
        if self._fs.exists(path):
            return False
        self._fs.pipe_file(path, data)
        return True

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        """Turn whatever a storage library raises into one of our classes: there are too many to list."""
        try:
            yield
        except TallyError:
            raise
        except Exception as error:
            raise self._error(name, error) from error

    def _error(self, name: str, error: Exception) -> TallyError:
        code = _code(error)
        if isinstance(error, FileNotFoundError):
            if self._scheme in ("http", "https") and _is_no_absence(error.__cause__):
                return self._error(name, error.__cause__)
            if code == "NoSuchBucket":
                return self._no_bucket()
            return ObjectMissing(f"`{name}` is not in `{self.url}`", places=[self.url])
        if type(error).__name__ == "NoCredentialsError":
            return AccessDenied(f"`{self.url}`: there are no credentials for it", hint=_USUAL_PLACES)
        if _is_denied(error):
            return AccessDenied(
                f"`{self.url}` refuses: {_reason(error)}", hint="check the credentials and what they allow"
            )
        if _is_busy(error):
            return RemoteBusy(
                f"`{self.url}` is too busy: {_reason(error)}", hint="try again later, or `--jobs 1`"
            )
        if code in _FULL or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull(f"no room left in `{self.url}`: {_reason(error)}")
        return RemoteUnreachable(f"`{self.url}` does not answer: {_reason(error)}", hint=_ONCE_MORE)

    def _no_bucket(self) -> Refused:
        return Refused(f"`{self.url}`: there is no such bucket", hint="make the bucket first")


def _is_no_absence(cause: BaseException | None) -> TypeGuard[Exception]:
    """What stands behind a file that fsspec could not find on the web: it says so of every failure."""
    return isinstance(cause, Exception) and getattr(cause, "status", None) != 404


def _is_taken(error: Exception) -> bool:
    """Whether a write was refused because its name is taken."""
    return isinstance(error, FileExistsError) or _code(error) in ("PreconditionFailed", "412")


def _is_busy(error: Exception) -> bool:
    """Whether the answer was to slow down."""
    busy = _code(error) in _BUSY
    return busy or any(getattr(error, name, None) in (429, 503) for name in ("status", "status_code", "code"))


def _is_denied(error: Exception) -> bool:
    """Whether the answer was no, in any of the libraries' ways to say so."""
    if isinstance(error, PermissionError) or any(word in type(error).__name__ for word in _DENIED):
        return True
    # One at a time: aiohttp has them all, and warns of the last.
    names = (name for name in ("status", "status_code", "code") if hasattr(error, name))
    return getattr(error, next(names, ""), None) in (401, 403)


def _code(error: Exception) -> str:
    """The S3 error code behind an exception, if there is one."""
    for one in (error, error.__cause__):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _reason(error: Exception) -> str:
    """One line of what a library said; URLs in it lose their secrets."""
    words = (str(error) or type(error).__name__).split()
    return " ".join(redacted(word) for word in words)[:300]


def open_backend(url: str, options: Mapping[str, str]) -> Bucket:
    """The bucket of a URL; raise ImportError where its library is missing."""
    scheme = urlsplit(url).scheme.lower()
    filesystem, root = reached(url, meant(scheme, options), _CONNECTIONS.get(scheme, {}))
    if not root.strip("/"):
        raise Refused(f"`{redacted(url)}` names no bucket", hint=f"{scheme}://bucket/path")
    return Bucket(filesystem, root, url, scheme)


def reached(url: str, settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[Any, str]:
    """The filesystem of a URL by fsspec, and the path in it."""
    if "::" in url:
        raise Refused(f"`{redacted(url)}`: chained URLs are not supported")
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(
            url, use_listings_cache=False, **{**defaults, **settings}
        )
    except ImportError:
        raise
    except Exception as error:
        raise Refused(f"`{redacted(url)}` can't be opened: {_reason(error)}") from error
    return found


@contextmanager
def open_url(url: str) -> Iterator[tuple[str, BinaryIO, int | None]]:
    """A file that anybody's URL leads to, for one read: its name, its bytes, how many where that is known."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    name = unquote(parts.path.rpartition("/")[2])
    if scheme not in _SOURCES or not name:
        raise Refused(f"`{redacted(url)}` is not the URL of a file that can be read", hint=f"known: {_KNOWN}")
    place = Bucket(*reached(url, {}, _CONNECTIONS.get(scheme, {})), redacted(url), scheme)
    try:
        with place.reading() as file:
            yield name, file, getattr(file, "size", None)
    except ObjectMissing as error:
        raise Refused(f"there is nothing at `{redacted(url)}`", hint="is its address right?") from error

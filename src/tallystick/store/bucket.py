"""A remote store in a bucket, or wherever else fsspec reaches: the only importer of fsspec."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import fsspec

from tallystick.digest import Buffer
from tallystick.errors import AccessDenied, DiskFull, ObjectMissing, Refused, RemoteUnreachable, TallyError
from tallystick.files import temporary_name
from tallystick.records.config import redacted
from tallystick.store.backend import MARKER, Backend

_CONDITIONAL = {"s3", "gs", "gcs", "memory"}
"""Where a write with `mode="create"` is one atomic step; elsewhere we look first, our names being unique."""
_FOLDERS = {"sftp", "ssh"}
"""Where a write shows while it is under way, and folders must be made."""
_EXTRAS = {
    "s3": "s3fs",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "abfs": "az",
    "abfss": "az",
    "sftp": "sftp",
    "ssh": "sftp",
}
_FULL = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "507"}
_DENIED = ("Credential", "Forbidden", "Unauthorized", "ProfileNotFound", "Authentication", "AccessDenied")

_S3_OPTIONS = {
    "endpointurl": "endpoint_url",
    "profile": "profile",
    "anon": "anon",
    "accesskeyid": "key",
    "secretaccesskey": "secret",
    "sessiontoken": "token",
    "region": "region_name",
}
_CONNECTION = {
    "connect_timeout": 10,
    "read_timeout": 60,
    "max_pool_connections": 64,
    "retries": {"max_attempts": 2, "mode": "standard"},
    # Some servers send the whole object's checksum with a range of it; every byte is verified by us anyway.
    "response_checksum_validation": "when_required",
}


class Bucket(Backend):
    """Files in a bucket; listings are never taken from a cache."""

    def __init__(self, filesystem: Any, root: str, url: str, scheme: str) -> None:
        self._fs = filesystem
        self._root = root.rstrip("/")
        self._scheme = scheme
        self.url = redacted(url).rstrip("/")

    def create(self) -> None:
        """Make folders where there are such; a bucket must exist."""
        if self._scheme in _FOLDERS:
            with self._translated(""):
                self._fs.makedirs(self._root, exist_ok=True)

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
            raise RemoteUnreachable(f"`{self.url}` is no Tallystick store any more")
        skip = len(self._root) + 1
        files = ((path.lstrip("/") if self._root[:1] != "/" else path, info) for path, info in found.items())
        return {path[skip:]: int(info["size"]) for path, info in files if info["type"] == "file"}

    def delete(self, name: str) -> None:
        """Remove a file; fine if it is not there."""
        with suppress(ObjectMissing), self._translated(name):
            self._fs.rm_file(self._path(name))

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
            self._fs.pipe_file(path, data, mode="create")
            return True
        if self._fs.exists(path):
            return False
        if self._scheme not in _FOLDERS:
            self._fs.pipe_file(path, data)
            return True
        folder = path.rpartition("/")[0]
        self._fs.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/{temporary_name()}"
        self._fs.pipe_file(temporary, data)
        self._fs.mv(temporary, path)
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
            if code == "NoSuchBucket":
                return self._no_bucket()
            return ObjectMissing(f"`{name}` is not in `{self.url}`", places=[self.url])
        if isinstance(error, PermissionError) or any(word in type(error).__name__ for word in _DENIED):
            return AccessDenied(
                f"`{self.url}` refuses: {_reason(error)}", hint="check the credentials and what they allow"
            )
        if code in _FULL or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull(f"no room left in `{self.url}`: {_reason(error)}")
        return RemoteUnreachable(f"`{self.url}` does not answer: {_reason(error)}")

    def _no_bucket(self) -> Refused:
        return Refused(f"`{self.url}`: there is no such bucket", hint="make the bucket first")


def _is_taken(error: Exception) -> bool:
    """Whether a write was refused because its name is taken."""
    return isinstance(error, FileExistsError) or _code(error) in ("PreconditionFailed", "412")


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
    """The bucket, or other place, of a URL."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if "::" in url:
        raise Refused(f"`{redacted(url)}`: chained URLs are not supported")
    settings = _s3_settings(options) if scheme == "s3" else _settings(options)
    try:
        filesystem, root = fsspec.core.url_to_fs(url, use_listings_cache=False, **settings)
    except ImportError as error:
        extra = _EXTRAS.get(scheme, scheme)
        raise Refused(
            f"remotes of kind `{scheme}` need a library that is not installed",
            hint=f"pip install 'tallystick[{extra}]'",
        ) from error
    except Exception as error:
        raise Refused(f"`{redacted(url)}` can't be opened: {_reason(error)}") from error
    if not root.strip("/"):
        raise Refused(f"`{redacted(url)}` names no bucket")
    return Bucket(filesystem, root, url, scheme)


def _plain(options: Mapping[str, str]) -> dict[str, str]:
    """Options by the name that counts: case, `-` and `_` do not."""
    return {name.lower().replace("-", "").replace("_", ""): value for name, value in options.items()}


def _s3_settings(options: Mapping[str, str]) -> dict[str, Any]:
    settings: dict[str, Any] = {"client_kwargs": {}, "config_kwargs": dict(_CONNECTION)}
    for option, value in _plain(options).items():
        name = _S3_OPTIONS.get(option)
        if name is None:
            known = ", ".join(sorted(_S3_OPTIONS))
            raise Refused(f"an s3 remote has no setting `{option}`", hint=f"known: {known}")
        if name == "region_name":
            settings["client_kwargs"][name] = value
        else:
            settings[name] = value.lower() in ("true", "yes", "on", "1") if name == "anon" else value
    return settings


def _settings(options: Mapping[str, str]) -> dict[str, Any]:
    """Options of other kinds go to their libraries, by the names that these give them."""
    return {name.lower().replace("-", "_"): value for name, value in options.items()}

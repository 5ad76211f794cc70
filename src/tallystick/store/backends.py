"""Which backend a URL means."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

from tallystick.errors import Refused
from tallystick.store.backend import Backend
from tallystick.store.pace import Paced

_MODULES = {
    "": "directory",
    "file": "directory",
    "sftp": "sftp",
    "ssh": "sftp",
    "http": "web",
    "https": "web",
}
"""URL scheme -> module of this package, loaded when it is used: a folder must not pay for fsspec."""
_OTHERS = "bucket"

_EXTRAS = {"gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az", "sftp": "sftp", "ssh": "sftp"}
"""URL scheme -> the extra of this package that brings its library."""


def backend_of(url: str, options: Mapping[str, str]) -> Backend:
    """The backend for a URL; a plain path is a folder. Raises Refused where its library is missing."""
    head, separator, _ = url.partition("://")
    scheme = head.lower() if separator else ""
    name = _MODULES.get(scheme, _OTHERS)
    with _library(scheme):
        module = importlib.import_module(f"tallystick.store.{name}")
        backend: Backend = module.open_backend(url, options)
    if name != _OTHERS:
        return backend
    paced = Paced(backend)
    backend.heed(paced.pace.slower)
    return paced


@contextmanager
def open_url(url: str) -> Iterator[tuple[str, BinaryIO, int | None]]:
    """A file at a URL to read once: its name, its bytes, and how many where that is known."""
    with _library(url.partition("://")[0].lower()):
        module = importlib.import_module("tallystick.store.bucket")
        with module.open_url(url) as found:
            yield found


@contextmanager
def _library(scheme: str) -> Iterator[None]:
    """Name the command that brings a library which is missing."""
    try:
        yield
    except ImportError as error:
        extra = f"[{_EXTRAS[scheme]}]" if scheme in _EXTRAS else ""
        raise Refused(
            f"URLs of kind `{scheme}` need a library that is not installed",
            hint=f"pip install 'tallystick{extra}'",
        ) from error

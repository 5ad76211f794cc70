"""Which backend a URL means."""

import importlib
from collections.abc import Mapping

from tallystick.store.backend import Backend

_MODULES = {"": "directory", "file": "directory"}
"""URL scheme -> module of this package, loaded when it is used: a folder must not pay for fsspec."""
_OTHERS = "bucket"


def backend_of(url: str, options: Mapping[str, str]) -> Backend:
    """The backend for a URL; a plain path is a folder."""
    scheme, separator, _ = url.partition("://")
    name = _MODULES.get(scheme.lower() if separator else "", _OTHERS)
    module = importlib.import_module(f"tallystick.store.{name}")
    backend: Backend = module.open_backend(url, options)
    return backend

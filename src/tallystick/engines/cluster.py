"""Which cluster an address means; its library is loaded when it is used."""

import importlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from tallystick.errors import Refused, WrongUsage
from tallystick.frozen import dataclass

Task = Mapping[str, Any]
"""What is to be done, or what came of it, in plain values."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a task is done: a folder for what the next one needs again, the process's environment.

    `heard` takes what the work writes while it goes on, `said` sentences about it; once `stop` is set the
    work ends early.
    """

    scratch: Path
    variables: Mapping[str, str]
    heard: Callable[[bytes], None]
    said: Callable[[str], None]
    stop: Event


Work = Callable[[Task, Site], Task]
"""A function of a module, which other processes can import, that does a task."""

_MODULES = {"dask": "dask"}
"""Scheme of an address -> the module of this package, and the extra of ours that brings its library."""


class Cluster(Protocol):
    """Other processes, on this machine or others, that do tasks."""

    def each(
        self, work: Work, tasks: Sequence[Task], heard: Callable[[int, bytes | str], None]
    ) -> Generator[tuple[int, Task], None, None]:
        """Do tasks; give the number and result of each that is done.

        Raises RemoteUnreachable when the cluster is gone. Ctrl-C, or an end before all are done, stops the
        others.
        """


def open_cluster(address: str) -> AbstractContextManager[Cluster]:
    """Connect to a cluster, like `dask://host:8786`; raise Refused where its library is missing."""
    scheme, separator, place = address.partition("://")
    name = _MODULES.get(scheme.lower())
    if name is None or not separator or not place:
        known = ", ".join(f"`{scheme}://host:port`" for scheme in _MODULES)
        raise WrongUsage(f"`{address}` is no cluster", hint=f"known: {known}")
    try:
        module = importlib.import_module(f"tallystick.engines.{name}")
    except ImportError as error:
        raise Refused(
            f"clusters of kind `{scheme}` need a library that is not installed",
            hint=f"pip install 'tallystick[{name}]'",
        ) from error
    cluster: AbstractContextManager[Cluster] = module.connect(place)
    return cluster

"""What a helper process does: take numbered tasks from a pipe. It loads little, so that it starts at once."""

import os
import select
import struct
from collections.abc import Iterator

NUMBER = struct.Struct("<I")
"""A task as it stands in the pipe."""


def drawn(pipe: int) -> Iterator[int]:
    """The tasks that a helper gets; they end early when the process that it helps is gone."""
    ours = select.poll()
    ours.register(0, select.POLLIN)
    for task in every(pipe):
        yield task
        # Nothing is ever sent: that there is something to read means that it was closed.
        if ours.poll(0):
            return


def every(pipe: int) -> Iterator[int]:
    """The tasks that a process gets until there are none."""
    while number := os.read(pipe, NUMBER.size):
        yield NUMBER.unpack(number)[0]

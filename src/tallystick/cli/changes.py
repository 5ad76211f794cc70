"""How the files that differ in a folder read for people."""

from collections.abc import Iterator

from tallystick.data.changes import Changes

SHOWN = 5
"""How many files of each sort are named without `--verbose`."""


def counts(changes: Changes | None) -> str:
    """How many files came, went and changed, in brackets; nothing for a single file."""
    if changes is None:
        return ""
    parts = (
        (len(changes.added), "added"),
        (len(changes.removed), "removed"),
        (len(changes.changed), "changed"),
    )
    return f"  ({', '.join(f'{number:,} {word}' for number, word in parts if number)})"


def change_lines(changes: Changes | None, *, verbose: bool) -> Iterator[str]:
    """The files that differ, a few of each sort or all."""
    if changes is None:
        return
    for mark, names in (("+", changes.added), ("-", changes.removed), ("~", changes.changed)):
        most = len(names) if verbose else SHOWN
        yield from (f"    {mark} {name}" for name in names[:most])
        if len(names) > most:
            yield f"    {mark} … {len(names) - most:,} more"

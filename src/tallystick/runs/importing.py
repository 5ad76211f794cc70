"""What git's importer is told to put into the ledger."""

from tallystick.project import Project

LARGE = 1 << 16
"""Bytes of a file that git gets by itself: its importer would compress it twice, and look for one like it."""


def file(project: Project, path: str, data: bytes) -> bytes:
    """A command that adds a file."""
    if len(data) < LARGE:
        return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
    return b"M 100644 %s %s\n" % (project.git.write_blob(data).encode(), path.encode())


def tree(path: str, tree: str) -> bytes:
    """A command that adds a folder which git has already."""
    return b"M 040000 %s %s\n" % (tree.encode(), path.encode())

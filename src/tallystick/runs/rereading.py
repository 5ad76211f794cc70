"""Whether what a run read without declaring it is still the same."""

from collections.abc import Iterator

from tallystick.project import Project
from tallystick.records.pointer import SUFFIX
from tallystick.records.receipt import Receipt
from tallystick.tracing.accesses import MOST


def reads_the_same(project: Project, receipt: Receipt, treeish: str) -> bool | None:
    """Whether the files that a run read undeclared are those of a commit or tree.

    Their bytes were not hashed when they were read, so that git has to tell: by the file, by its pointer, or
    by that of a folder it lies in. None where git knows nothing of one, or the receipt lists not all of them.
    """
    if not receipt.undeclared:
        return True
    if len(receipt.undeclared) >= MOST or any("\n" in path for path in receipt.undeclared):
        return None
    ways = {path: tuple(_ways(path)) for path in receipt.undeclared}
    names = list(dict.fromkeys(name for some in ways.values() for name in some))
    then, now = (
        dict(zip(names, project.git.objects_at(tree, names), strict=True))
        for tree in (receipt.code.tree, treeish)
    )
    if any(then[name] != now[name] for name in names):
        return False
    told = all(any(then[name] is not None for name in some) for some in ways.values())
    return True if told else None


def _ways(path: str) -> Iterator[str]:
    """What git may have of a path: itself, its pointer, the pointers of folders around it."""
    yield path
    while path:
        yield path + SUFFIX
        path = path.rpartition("/")[0]

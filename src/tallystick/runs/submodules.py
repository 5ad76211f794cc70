"""Submodules of a run whose files stand in its code, as they held what was never committed in them."""

from tallystick.project import Project
from tallystick.records.provenance import Code


def uncommitted(project: Project, code: Code) -> tuple[str, ...]:
    """The submodules whose files a run's tree has itself; none where git no longer has the tree."""
    paths = tuple(code.submodules)
    found = project.git.objects_at(code.tree, paths) if paths else ()
    # Of a commit in a submodule git knows no object here; some versions tell its id all the same.
    return tuple(
        path for path, name in zip(paths, found, strict=True) if name not in (None, code.submodules[path])
    )

"""Imports go down and stand at the top; every outside thing has one door."""

import ast
from collections.abc import Iterator

from tests.source import PACKAGE, Module, modules, names

# From the roof to the ground. A room may import rooms of lower floors, never its neighbours.
FLOORS = (
    {"__init__", "__main__"},
    {"cli", "library"},
    {"flows"},
    {"reproduction"},
    {"runs"},
    {"data"},
    {"project"},
    {"git", "worktree", "store", "envs", "containers", "sandbox", "compare", "tracing", "trackers"}
    | {"engines"},
    {"records"},
    {
        "copying",
        "crew",
        "digest",
        "direct",
        "files",
        "frozen",
        "helping",
        "landlock",
        "launcher",
        "memory",
        "paths",
        "patterns",
        "process",
        "progress",
        "sight",
        "unnoted",
    },
    {"errors"},
)
# The ground floor is one toolbox: its tools may use each other, in one direction.
TOOLBOX = FLOORS[-2]
# Which part of the house may import an outside library, or a module that starts programs.
DOORS = {
    "subprocess": ("process",),
    "fsspec": ("store.bucket",),
    "s3fs": ("store.bucket",),
    "botocore": ("store.bucket",),
    "sshfs": ("store.sftp",),
    "asyncssh": ("store.sftp",),
    "distributed": ("engines.dask",),
    "pyarrow": ("compare.parquet",),
    "git": ("git.objects",),
    "gitdb": ("git.objects",),
    "click": ("cli",),
    "rich": ("cli",),
    "yaml": ("records.yamlreader",),
    "blake3": ("digest",),
    "xxhash": ("digest", "sight"),
    "pyfastcdc": ("store.chunker",),
    "zstandard": ("store.pack",),
    "uv": ("envs",),
    "rattler": ("envs.rattler",),
    "urllib.request": ("trackers.web",),
    # Lazy loading: start-up, the table of commands, the progress bar, backends, the chunker, YAML, captures.
    "importlib": (
        "",
        "__main__",
        "library.training",
        "cli.main",
        "cli.log",
        "cli.progress",
        "cli.show",
        "store.backends",
        "store.chunker",
        "compare.difference",
        "engines.cluster",
        "records.yamltree",
        "envs.archives",
        "envs.interpreter",
        "envs.rebuild",
        "envs.remembered",
        "flows.run",
        "flows.status",
        "sandbox.inside.unpickler",
    ),
}
# Runs within walls, in a Python that is not ours, and only with the user's leave.
WALLED = "sandbox.inside.unpickler"
NEVER = {"pickle", "shelve", "marshal", "dbm", "sqlite3", "pty", "imp"}


def _room(module: str) -> str:
    """Return the room that a dotted name below the package belongs to."""
    return module.partition(".")[0] or "__init__"


def _floor(room: str) -> int:
    return next((level for level, rooms in enumerate(FLOORS) if room in rooms), -1)


def _within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def _inner_imports(module: Module) -> Iterator[tuple[int, str]]:
    for found in module.imports():
        if found.module == PACKAGE or found.module.startswith(f"{PACKAGE}."):
            yield found.line, found.module.removeprefix(PACKAGE).removeprefix(".")


def test_every_room_stands_on_a_floor() -> None:
    assert not [module.where for module in modules() if _floor(_room(module.name)) < 0]


def test_imports_go_down_and_never_sideways() -> None:
    offences = []
    for module in modules():
        here = _room(module.name)
        for line, target in _inner_imports(module):
            there = _room(target)
            if there in (here, "__init__") or {here, there} <= TOOLBOX:
                continue
            if _floor(there) <= _floor(here):
                offences.append(f"{module.at(line)}: {here} may not import {there}")
    assert not offences, "\n".join(offences)


def test_flows_do_not_import_flows() -> None:
    offences = [
        f"{module.at(line)}: {target}"
        for module in modules()
        if module.name.startswith("flows.")
        for line, target in _inner_imports(module)
        if target.startswith("flows.")
    ]
    assert not offences, "\n".join(offences)


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {module.name: {target for _, target in _inner_imports(module)} - {""} for module in modules()}
    settled: set[str] = set()
    while ready := {name for name, needs in graph.items() if name not in settled and needs <= settled}:
        settled |= ready
    assert set(graph) == settled, f"in a circle, or above one: {sorted(set(graph) - settled)}"


def test_imports_stand_at_the_top_of_the_file() -> None:
    offences = [
        f"{module.at(found.line)}: {found.module}"
        for module in modules()
        for found in module.imports()
        if not found.at_top
    ]
    assert not offences, "\n".join(offences)


def test_every_outside_library_has_one_door() -> None:
    offences = []
    for module in modules():
        for found in module.imports():
            outside = found.module.split(".")[0]
            doors = DOORS.get(found.module) or DOORS.get(outside)
            if doors and not _within(module.name, doors):
                offences.append(f"{module.at(found.line)}: {outside} is only for {', '.join(doors)}")
    assert not offences, "\n".join(offences)


def test_no_module_that_can_execute_what_it_reads_is_used() -> None:
    offences = [
        f"{module.at(found.line)}: {found.module}"
        for module in modules()
        for found in module.imports()
        if found.module.split(".")[0] in NEVER and module.name != WALLED
    ]
    assert not offences, "\n".join(offences)


def test_only_one_file_starts_programs() -> None:
    starters = {"system", "popen", "execv", "execve", "execvp", "execvpe", "fork", "forkpty", "posix_spawn"}
    offences = [
        module.at(node)
        for module in modules()
        if module.name not in {"process", "launcher"}
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and (node.attr in starters or node.attr.startswith("spawn"))
    ]
    assert not offences, "\n".join(offences)


def test_the_doors_named_here_exist() -> None:
    named = {door for doors in DOORS.values() for door in doors}
    assert named - {""} <= {name.removeprefix(f"{PACKAGE}.") for name in names()}

"""What stands where a command enters an environment by a tool, once the recorded one is entered already."""

from collections.abc import Sequence
from pathlib import Path

from tallystick.envs.entering import TOOLS, enters_by_tool, options_with_values
from tallystick.files import write_atomic

FOLDER = "tally-tools"
"""The folder of a rebuilt environment that holds them."""

_SCRIPT = """#!/bin/sh
# The recorded environment is entered already: `run` starts the program, `activate` has nothing to do.
tool={tool}
verb=
while [ $# -gt 0 ]; do
    case $1 in
    --cwd=* | --directory=*) cd "${{1#*=}}" || exit 127 ;;
    --cwd | --directory | -C) cd "$2" || exit 127; shift ;;
    --) [ -z "$verb" ] || {{ shift; break; }} ;;
    {last}) break ;;
    {valued}) shift ;;
    -*) ;;
    *) [ -z "$verb" ] || break; verb=$1 ;;
    esac
    shift
done
case $verb in
run) ;;
activate | deactivate | hook | shell | shell.*) exit 0 ;;
*) echo "$tool: only \\`$tool run\\` is here while a run is repeated" >&2; exit 127 ;;
esac
[ $# -gt 0 ] || exit 0
first=$1
case $tool:$first in
hatch:*:*) shift; set -- "${{first#*:}}" "$@" ;;
uv:-m | uv:--module | uv:*.py) set -- python "$@" ;;
esac
exec "$@"
"""


def stand_ins(environment: Path, cmd: str | Sequence[str]) -> Path | None:
    """A folder of programs to put first on PATH for a command that enters its environment by a tool.

    Years later the tool need not be here, and where it is it might ask an index or change what was rebuilt.
    """
    if not enters_by_tool(cmd):
        return None
    folder = environment / FOLDER
    for tool in sorted(TOOLS):
        path = folder / tool
        text = _script(tool)
        if not path.is_file() or path.read_bytes() != text:
            write_atomic(path, text, mode=0o755)
    return folder


def _script(tool: str) -> bytes:
    valued = " | ".join(sorted(options_with_values(tool)))
    # What comes last is the program's own: `uv run -m module`.
    return _SCRIPT.format(tool=tool, valued=valued, last="-m | --module" if tool == "uv" else "-").encode()

"""The files that `tally show` writes of a verdict, loaded where some are asked for."""

from collections.abc import Mapping
from functools import partial

from tallystick.cli.context import Context
from tallystick.cli.gallery import both_sides
from tallystick.cli.reports import report_places, write_reports
from tallystick.errors import Refused
from tallystick.flows.show import Shown


def verdict_files(current: Context, found: Shown, files: Mapping[str, str | None]) -> list[str]:
    """Write what is wanted of a verdict, and say what; raise Refused where there is none."""
    places = report_places(current.directory, files)
    if found.verdict is None or found.run is None:
        raise Refused(f"`{found.target}` is no verdict", hint="see `tally log --verdicts`")
    drawn = partial(both_sides, current.project(), found.verdict)
    return list(write_reports(places, found.verdict, found.run, found.notes, drawn=drawn))

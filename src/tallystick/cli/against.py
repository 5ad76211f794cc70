"""`tally repro --recorded`: compare what receipts say with a baseline, and execute nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tallystick.cli import render
from tallystick.cli.baselines import against_junit, against_lines, against_page, refuse_unfit
from tallystick.cli.context import Context
from tallystick.cli.reports import Places, write_texts
from tallystick.flows.against import against
from tallystick.flows.repro import Request


def compare_recorded(current: Context, request: Request, options: Mapping[str, Any], places: Places) -> None:
    """Show the metrics of a target's receipts beside those of a baseline, and whether a condition holds."""
    refuse_unfit(options)
    found = against(
        current.project(),
        request.target,
        request.against,
        request.fail_if,
        stages=request.stages,
        folder=request.folder,
    )
    render.report(current, found, against_lines)
    started = datetime.now(UTC).isoformat()
    texts = {"html": lambda: against_page(found), "junit": lambda: against_junit(found, started)}
    for line in write_texts(places, texts):
        render.say(current, line)
    render.finish(1 if found.failed else 0)

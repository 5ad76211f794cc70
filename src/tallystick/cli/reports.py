"""A result as files beside the command's answer: never over what is not such a report itself."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tallystick.cli.baselines import against_cases, against_sections
from tallystick.cli.junit import is_junit_of_ours, junit
from tallystick.cli.page import Markup, is_ours
from tallystick.cli.text import size_text
from tallystick.cli.verdictpage import verdict_page
from tallystick.digest import Digest
from tallystick.errors import Refused, WrongUsage
from tallystick.files import translated, write_atomic
from tallystick.records.verdict import Verdict
from tallystick.reproduction.baseline import Against

BEGINNING = 1000
"""So many bytes of a file say whether it is a report of ours."""


class Form(NamedTuple):
    """A form of report: what it is called, and how a file in it is known."""

    kind: str
    is_ours: Callable[[bytes], bool]


FORMS = {"html": Form("page", is_ours), "junit": Form("report", is_junit_of_ours)}
"""By the name of the option that asks for it."""

Places = Mapping[str, tuple[str, Path]]


def report_places(directory: Path, options: Mapping[str, Any]) -> Places:
    """Where the wanted reports go, as named and in full, by form.

    Raises Refused if something lies there that isn't such a report: asked before anything runs.
    """
    wanted = {form: options[form] for form in FORMS if options[form] is not None}
    places = {form: (file, Path(os.path.join(directory, file))) for form, file in wanted.items()}
    if len({os.path.realpath(path) for _, path in places.values()}) < len(places):
        raise WrongUsage("`--html` and `--junit` name the same file")
    for form, (file, path) in places.items():
        _check(file, path, FORMS[form])
    return places


def _check(file: str, path: Path, form: Form) -> None:
    # A pipe would be waited for, and a link that leads nowhere names a place that nobody looked at.
    if path.is_file():
        with translated(file), path.open("rb") as old:
            ours = form.is_ours(old.read(BEGINNING))
        if not ours:
            raise Refused(
                f"`{file}` is there already, and no {form.kind} of tally's", hint="name another file"
            )
    elif not file or os.path.lexists(path):
        raise Refused(f"`{file}` is no file that can be written", hint="name another one")


def write_reports(
    places: Places,
    verdict: Verdict,
    identity: Digest,
    notes: Sequence[str] = (),
    against: Against | None = None,
    drawn: Callable[[], Sequence[Markup]] = tuple,
) -> Iterator[str]:
    """Write the wanted reports of a verdict, with its comparison with a baseline, and say which.

    `drawn` makes what a page shows besides of both sides.
    """
    sections, cases = ([], []) if against is None else (against_sections(against), against_cases(against))
    texts: dict[str, Callable[[], str]] = {
        "html": lambda: verdict_page(verdict, identity, notes, sections, drawn()),
        "junit": lambda: junit(verdict, identity, notes, cases),
    }
    yield from write_texts(places, texts)


def write_texts(places: Places, texts: Mapping[str, Callable[[], str]]) -> Iterator[str]:
    """Write the wanted forms of a report, each whole or not at all, and say which."""
    for form, (file, path) in places.items():
        data = texts[form]().encode()
        write_atomic(path, data)
        yield f"Wrote {file} ({size_text(len(data))})"

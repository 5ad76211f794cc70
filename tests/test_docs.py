"""What the documents claim is checked against the program."""

import re
from pathlib import Path

import pytest

from tallystick import errors
from tests.source import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
CODES = re.compile(r"^\| (\d+) \|", re.MULTILINE)
# Codes without a class: success, "no", Ctrl-C and our own faults.
CLASSLESS = {0, 1, 130, 255}


def test_every_exit_code_is_documented_and_every_documented_one_exists() -> None:
    documented = {int(code) for code in CODES.findall((ROOT / "docs/exit-codes.md").read_text())}
    used = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.TallyError)
    }
    assert documented == used | CLASSLESS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_inside_the_documents_lead_somewhere(document: Path) -> None:
    targets = LINK.findall(document.read_text("utf-8"))
    assert not [target for target in targets if not (document.parent / target).exists()]

"""What the documents claim is checked against the program."""

import dataclasses
import re
from pathlib import Path

import click
import pytest
from scripts.commands import page

from tallystick import errors
from tallystick.cli.main import VERBS, program
from tallystick.records import environment, pointer, provenance, receipt, root, vault, verdict
from tests.source import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
ANCHOR = re.compile(r"\]\(([^)#\s:]*)#([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODES = re.compile(r"^\| (\d+) \|", re.MULTILINE)
# Code, in a block or between backticks, and a call of the program within it.
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
VERB = re.compile(r"(?:^|[`$ ] ?)tally ([a-z][a-z-]+)(?=[ `\n]|$)", re.MULTILINE)
CALL = re.compile(r"(?:^|[`$ ] ?)tally ([a-z][a-z-]+)((?: [^`#&;|]*)?)")
OPTION = re.compile(r"(?<= )(--[a-z][a-z-]*|-[a-zA-Z])(?=[ =\n]|$)")
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_to_a_heading_find_it(document: Path) -> None:
    wanted = ANCHOR.findall(CODE.sub("", document.read_text("utf-8")))
    targets = [(document.parent / name if name else document, anchor) for name, anchor in wanted]
    assert not [f"{page.name}#{anchor}" for page, anchor in targets if anchor not in _anchors(page)]


def _anchors(document: Path) -> set[str]:
    """What a page's headings are called in links."""
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in HEADING.findall(text)}


def test_the_page_of_commands_is_what_their_help_says() -> None:
    assert (ROOT / "docs/commands.md").read_text("utf-8") == page(), "run scripts/commands.py"


def test_every_command_named_in_the_documents_exists() -> None:
    named = {
        (document.name, verb)
        for document in DOCUMENTS
        for verb in VERB.findall("\n".join(CODE.findall(document.read_text("utf-8"))))
    }
    assert not [f"{name}: tally {verb}" for name, verb in sorted(named) if verb not in VERBS]


def test_every_option_named_in_the_documents_exists() -> None:
    offences = [
        f"{document.name}: tally {verb} {option}"
        for document in DOCUMENTS
        for line in "\n".join(CODE.findall(document.read_text("utf-8"))).splitlines()
        for verb, rest in CALL.findall(line)
        for option in OPTION.findall(rest.split(" -- ")[0])
        if verb in VERBS and option not in _options(verb)
    ]
    assert not offences, "\n".join(offences)


def _options(verb: str) -> set[str]:
    root = click.Context(program, info_name="tally")
    command = program.get_command(root, verb)
    assert command is not None
    parts = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
    names = {name for part in parts for parameter in part.params for name in parameter.opts}
    return names | {"-h", "--help"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_shows_an_example_in_its_help(verb: str) -> None:
    root = click.Context(program, info_name="tally")
    command = program.get_command(root, verb)
    assert command is not None
    assert f"tally {verb}" in command.get_help(click.Context(command, info_name="COMMAND"))


RECORDS = (
    pointer.Pointer,
    receipt.Receipt,
    receipt.Artifact,
    provenance.Code,
    provenance.EnvironmentRef,
    provenance.Feature,
    provenance.Hardware,
    provenance.Host,
    provenance.LockFile,
    provenance.Tracker,
    environment.Lock,
    environment.Package,
    environment.CondaPackage,
    vault.Vault,
    vault.VaultedWheel,
    verdict.Verdict,
    verdict.StageVerdict,
    verdict.Comparison,
    verdict.Difference,
    root.RootRecord,
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_key_of_a_record_is_described(record: type) -> None:
    described = set(re.findall(r"`([a-z_0-9]+)`", (ROOT / "docs/format.md").read_text("utf-8")))
    assert not {field.name for field in dataclasses.fields(record)} - described

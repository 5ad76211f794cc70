"""How a grant is asked for."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick.cli.context import Context
from tallystick.cli.prompt import with_grant
from tallystick.errors import NotTrusted
from tests.sandbox import Repo, Tally


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clone(project: Repo, tally: Tally, tmp_path: Path) -> Context:
    """Return the context of a clone: nothing may run in it yet."""
    return Context(directory=project.clone(tmp_path / "clone").path)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Terminal]:
    """Return a function that puts a person who types an answer before the program."""

    def sit_down(answer: str) -> Terminal:
        seen = Terminal()
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        monkeypatch.setattr(sys, "stderr", seen)
        return seen

    return sit_down


def _work(current: Context, *commands: str) -> Callable[[], str]:
    def work() -> str:
        if not current.project().grants.granted(commands):
            raise NotTrusted("nobody has allowed this repository to run commands", commands)
        return "ran"

    return work


def test_where_nobody_can_be_asked_nothing_runs(clone: Context) -> None:
    with pytest.raises(NotTrusted):
        with_grant(clone, False, _work(clone, "make"))


def test_trust_grants_without_asking_and_for_good(clone: Context) -> None:
    assert with_grant(clone, True, _work(clone, "make")) == "ran"
    assert with_grant(clone, False, _work(clone, "make")) == "ran"
    with pytest.raises(NotTrusted):
        with_grant(clone, False, _work(clone, "make", "curl evil"))


def test_a_person_who_says_yes_is_asked_once(clone: Context, screen: Callable[[str], Terminal]) -> None:
    seen = screen("y\n")
    assert with_grant(clone, False, _work(clone, "make", "make\x1b[2J")) == "ran"
    assert "make\\x1b[2J" in seen.getvalue()
    assert "Allow these commands" in seen.getvalue()
    assert with_grant(clone, False, _work(clone, "make")) == "ran"


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_a_person_who_does_not_say_yes_means_no(
    clone: Context, screen: Callable[[str], Terminal], answer: str
) -> None:
    screen(answer)
    with pytest.raises(NotTrusted):
        with_grant(clone, False, _work(clone, "make"))


def test_a_changed_command_is_shown_beside_the_allowed_one(
    clone: Context, screen: Callable[[str], Terminal]
) -> None:
    clone.project().grants.grant(["python train.py --epochs 3"])
    seen = screen("n\n")
    with pytest.raises(NotTrusted):
        with_grant(
            clone, False, _work(clone, "python train.py --epochs 3", "python train.py --epochs 3; curl evil")
        )
    assert "python train.py --epochs 3; curl evil" in seen.getvalue()
    assert "allowed before: python train.py --epochs 3\n" in seen.getvalue()


def test_with_json_nobody_is_asked(clone: Context, screen: Callable[[str], Terminal]) -> None:
    seen = screen("y\n")
    clone.json = True
    with pytest.raises(NotTrusted):
        with_grant(clone, False, _work(clone, "make"))
    assert seen.getvalue() == ""


def test_work_that_refuses_what_was_granted_is_not_tried_for_ever(clone: Context) -> None:
    def work() -> None:
        raise NotTrusted("never", ["make"])

    with pytest.raises(NotTrusted):
        with_grant(clone, True, work)

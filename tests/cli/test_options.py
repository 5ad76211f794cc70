"""What paths and options mean."""

import os
from pathlib import Path
from typing import Any

import click
import pytest

from tallystick.cli import options
from tallystick.cli.context import Context, settings_home
from tallystick.cli.options import to_project_paths
from tallystick.errors import Refused
from tallystick.project import open_project
from tests.sandbox import Repo, Tally


@pytest.mark.parametrize(
    ("typed", "folder", "meant"),
    [
        ("data", "", "data"),
        ("./data/", "", "data"),
        ("data//x/../y", "", "data/y"),
        ("x", "sub", "sub/x"),
        ("../x", "sub", "x"),
        ("..", "sub", "."),
        (".", "", "."),
        (".", "sub", "sub"),
        ("a\nb ü", "", "a\nb ü"),
        ("caf\udce9", "", "caf\udce9"),
        ("-x", "", "-x"),
    ],
)
def test_a_path_is_meant_from_the_folder_it_is_typed_in(
    project: Repo, typed: str, folder: str, meant: str
) -> None:
    (project.path / "sub").mkdir()
    (project.path / "data").mkdir()
    opened = open_project(project.path, settings_home())
    assert to_project_paths(opened, [typed], project.path / folder) == (meant,)
    absolute = os.path.join(project.path, folder, typed)
    assert to_project_paths(opened, [absolute], Path("/")) == (meant,)


def test_a_path_is_meant_once(project: Repo) -> None:
    opened = open_project(project.path, settings_home())
    assert to_project_paths(opened, ["b", "a", "./b"], project.path) == ("b", "a")


@pytest.mark.parametrize("typed", ["..", "../x", "/etc/passwd", "", "sub/../.."])
def test_a_path_outside_of_the_project_is_refused(project: Repo, typed: str) -> None:
    with pytest.raises(Refused):
        to_project_paths(open_project(project.path, settings_home()), [typed], project.path)


def test_a_project_reached_through_a_symlink_is_the_same_project(project: Repo, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(project.path)
    opened = open_project(link, settings_home())
    assert to_project_paths(opened, ["x", str(link / "y")], link) == ("x", "y")


def test_a_symlink_that_is_named_is_meant_itself(project: Repo, tmp_path: Path) -> None:
    (project.path / "link").symlink_to(tmp_path)
    opened = open_project(project.path, settings_home())
    assert to_project_paths(opened, ["link"], project.path) == ("link",)
    with pytest.raises(Refused):
        to_project_paths(opened, ["link/x"], project.path)


def _jobs(words: list[str], folder: Path) -> Any:
    @options.jobs_option()
    def work(jobs: int) -> int:
        return jobs

    command = click.command("work")(work)
    with command.make_context("work", words, obj=Context(directory=folder)) as ctx:
        return command.invoke(ctx)


def test_jobs_are_those_of_the_command_line_the_settings_or_the_machine(project: Repo, tally: Tally) -> None:
    assert 1 <= _jobs([], project.path) <= 8
    tally("config", "--local", "core.jobs", "3")
    assert _jobs([], project.path) == 3
    assert _jobs(["-j", "5"], project.path) == 5
    with pytest.raises(click.BadParameter):
        _jobs(["-j", "0"], project.path)


@pytest.mark.parametrize(("configured", "home"), [("/x/y", "/x/y/tally"), ("relative", None), ("", None)])
def test_settings_lie_where_xdg_says(
    monkeypatch: pytest.MonkeyPatch, sandbox: Path, configured: str, home: str | None
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", configured)
    assert settings_home() == Path(home or sandbox / ".config/tally")

"""Which engine is taken, and what it says of itself."""

import os
from pathlib import Path

import pytest

from tallystick.containers.engine import VARIABLE, answer_of, find_engine
from tallystick.errors import Refused
from tests.containers.fake import FakeEngine, on_path


@pytest.fixture
def both(tmp_path: Path) -> tuple[FakeEngine, FakeEngine]:
    return FakeEngine(tmp_path / "p"), FakeEngine(tmp_path / "d", "docker")


def test_podman_is_preferred_and_a_setting_or_variable_chooses(both: tuple[FakeEngine, FakeEngine]) -> None:
    path = {"PATH": on_path(both[1].folder, both[0].folder)}
    assert find_engine(path).program == str(both[0].program)
    assert find_engine(path, "docker").program == str(both[1].program)
    assert find_engine({**path, VARIABLE: "podman"}, "docker").program == str(both[0].program)
    only = {"PATH": str(both[1].folder)}
    assert find_engine(only).kind == "docker"


def test_without_an_engine_it_is_said_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="`podman` or `docker` is not on PATH") as caught:
        find_engine({"PATH": str(tmp_path)})
    assert caught.value.hint == "install podman"
    with pytest.raises(Refused, match="`docker` is not on PATH"):
        find_engine({"PATH": str(tmp_path)}, "docker")


@pytest.mark.parametrize("wanted", ["/bin/sh", "--help", "runc"])
def test_no_other_program_is_ever_taken_for_an_engine(wanted: str) -> None:
    with pytest.raises(Refused, match="no engine for containers that is known"):
        find_engine({"PATH": "/bin", VARIABLE: wanted})


def test_both_engines_tell_version_and_platform(both: tuple[FakeEngine, FakeEngine]) -> None:
    podman, docker = (
        find_engine({"PATH": on_path(each.folder)}, kind)
        for each, kind in zip(both, ("podman", "docker"), strict=True)
    )
    answer = answer_of(podman)
    assert (answer.kind, answer.version, answer.platform) == ("podman", "4.3.1", "linux/amd64")
    assert answer.rootless == (os.geteuid() != 0)
    answer = answer_of(docker)
    assert (answer.kind, answer.version, answer.platform, answer.rootless) == (
        "docker",
        "27.1",
        "linux/amd64",
        False,
    )
    both[1].says(security=["name=seccomp,profile=builtin", "name=rootless"])
    assert answer_of(docker).rootless


def test_podman_under_dockers_name_is_podman(tmp_path: Path) -> None:
    FakeEngine(tmp_path).program.rename(tmp_path / "docker")
    assert answer_of(find_engine({"PATH": on_path(tmp_path)}, "docker")).kind == "podman"


def test_a_client_without_its_daemon_is_told_so(both: tuple[FakeEngine, FakeEngine]) -> None:
    said = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
    both[1].says(broken=said)
    with pytest.raises(Refused, match="its daemon doesn't answer: Cannot connect") as caught:
        answer_of(find_engine({"PATH": on_path(both[1].folder)}, "docker"))
    assert "install podman" in str(caught.value.hint)
    both[0].says(broken="cannot clone: Operation not permitted")
    with pytest.raises(Refused, match="`podman` doesn't work here: cannot clone"):
        answer_of(find_engine({"PATH": on_path(both[0].folder)}))

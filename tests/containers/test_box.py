"""The words that put a command into a container."""

import os
from dataclasses import replace
from itertools import pairwise

import pytest

from tallystick.containers.box import Box, Shared
from tallystick.containers.engine import Answer, Engine
from tallystick.containers.images import Image, Resolved
from tallystick.errors import Refused
from tallystick.records.provenance import Container

ID = "sha256:" + "0" * 64
RECORD = Container("x", ID, "linux/amd64", "podman", "5")


def box(answer: Answer, **given: object) -> Box:
    engine = Engine("podman", "/usr/bin/podman")
    whole = Box(Resolved(engine, answer, Image(ID, "linux/amd64"), RECORD))
    return replace(whole, **given)  # type: ignore[arg-type]


def pairs(words: tuple[str, ...], name: str) -> list[str]:
    return [value for word, value in pairwise(words) if word == name]


PODMAN = Answer("podman", "5", "linux/amd64", rootless=True)
ROOT = replace(PODMAN, rootless=False)
DOCKER = Answer("docker", "27", "linux/amd64", rootless=False)
ME = f"{os.geteuid()}:{os.getegid()}"


def test_the_image_comes_last_by_its_id_and_is_never_pulled() -> None:
    words = box(PODMAN).before
    assert words[:2] == ("/usr/bin/podman", "run")
    assert words[-3:] == ("--entrypoint", "", ID)
    assert pairs(words, "--pull") == ["never"]


@pytest.mark.parametrize(
    ("answer", "user", "namespace"),
    [
        (PODMAN, ME, ["keep-id"]),
        (ROOT, ME, []),
        (DOCKER, ME, []),
        (replace(DOCKER, rootless=True), "0:0", []),
    ],
)
def test_what_it_writes_belongs_to_the_user(answer: Answer, user: str, namespace: list[str]) -> None:
    words = box(answer).before
    assert pairs(words, "--user") == [user]
    assert pairs(words, "--userns") == namespace


def test_the_network_is_taken_away_only_where_that_is_asked_for() -> None:
    assert not pairs(box(PODMAN).before, "--network")
    assert pairs(box(PODMAN, network=False).before, "--network") == ["none"]
    assert "--http-proxy=false" in box(PODMAN, network=False).before
    assert "--http-proxy=false" not in box(DOCKER, network=False).before


def test_values_are_words_of_their_own_whatever_is_in_them() -> None:
    words = box(PODMAN, variables={"A": "1 --privileged", "B": "$(id)\n"}, cwd="a/-b").before
    assert pairs(words, "--env") == ["A=1 --privileged", "B=$(id)\n"]
    assert pairs(words, "--workdir") == ["/project/a/-b"]


def test_a_path_with_a_comma_or_quote_is_one_field_of_its_mount() -> None:
    shared = (Shared('/a,readonly/b"c', "/project", writable=True), Shared("/plain", "/p"))
    assert pairs(box(PODMAN, shared=shared).before, "--mount") == [
        'type=bind,"source=/a,readonly/b""c",target=/project',
        "type=bind,source=/plain,target=/p,readonly",
    ]
    with pytest.raises(Refused, match="several lines"):
        _ = box(PODMAN, shared=(Shared("/a\nb", "/project"),)).before


def test_each_container_has_a_name_by_which_it_is_ended() -> None:
    first, second = box(PODMAN), box(PODMAN)
    assert first.name != second.name
    assert pairs(first.before, "--name") == [first.name]
    assert first.farewell == ("/usr/bin/podman", "rm", "--force", "--ignore", "--time", "0", first.name)
    assert box(DOCKER, name="n").farewell == ("/usr/bin/podman", "rm", "--force", "n")

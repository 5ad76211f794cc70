"""Names of images: what registries and engines take for one, and what nobody may pass to an engine."""

import pytest

from tallystick.errors import BadRecord
from tallystick.records.fields import Fields
from tallystick.records.image import ImageName, is_image_id, parse_image
from tallystick.records.provenance import read_container

DIGEST = "sha256:" + "0af1" * 16

GOOD = {
    "python": ImageName("python"),
    "python:3.11": ImageName("python", "3.11"),
    "a/b/c_d--e__f.g:T-1": ImageName("a/b/c_d--e__f.g", "T-1"),
    "localhost/x": ImageName("localhost/x"),
    "Registry.example.org:5000/team/train": ImageName("Registry.example.org:5000/team/train"),
    "[::1]:5000/x": ImageName("[::1]:5000/x"),
    f"x@{DIGEST}": ImageName("x", None, DIGEST),
    f"x:1@{DIGEST}": ImageName("x", "1", DIGEST),
    "x@sha512:" + "0" * 128: ImageName("x", None, "sha512:" + "0" * 128),
}

BAD = [
    "", " ", "-x", "--privileged", "-v/:/host", "x -v", "x;id", "x$(id)", "x`id`", "x|y", "x\ny", "x\0",
    "x'y", "Python", "x:", "x@", "x:a:b", "x:-tag", ":tag", "/x", "x/", "a//b", ".x", "x.", "x..y", "x___y",
    "x:" + "t" * 129, "x@sha256:0af", "x@sha256:" + "G" * 64, "x@sha256:" + "A" * 64, "x@md5:" + "0" * 32,
    "https://x/y", "a" * 256, "x" * 2000, "ünicode", "x:tag\u202e", "a" * 64, "sha256:" + "a" * 64,
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_a_name_is_read_in_its_parts(text: str) -> None:
    assert parse_image(text) == GOOD[text]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_whatever_is_no_name_is_refused(text: str) -> None:
    assert parse_image(text) is None


def test_a_digest_leaves_nothing_to_the_tag() -> None:
    assert ImageName("x", "1", DIGEST).address == f"x@{DIGEST}"
    assert ImageName("x", "1").address == "x:1"
    assert ImageName("x").address == "x"


def test_a_name_without_a_registry_is_looked_for_at_dockers() -> None:
    assert ImageName("python").qualified == "docker.io/library/python"
    assert ImageName("pytorch/pytorch").qualified == "docker.io/pytorch/pytorch"
    assert ImageName("localhost:5000/x").qualified == "localhost:5000/x"
    assert [ImageName(name).only_here for name in ("localhost/x", "localhost:5000/x")] == [True, False]


def test_an_id_is_told_from_a_name() -> None:
    assert is_image_id("a" * 64)
    assert is_image_id("sha256:" + "0" * 64)
    assert not is_image_id("a" * 63)


CONTAINER = {
    "image": "x", "config": DIGEST, "platform": "linux/amd64", "engine": "podman", "version": "4",
    "repository": "localhost:5000/x", "digest": DIGEST,
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("config", "--privileged"),
        ("repository", "-v/:/x"),
        ("repository", "x:1"),
        ("digest", "sha256:x"),
        ("platform", "linux"),
        ("engine", "/bin/sh"),
        ("more", "x"),
    ],
)
def test_a_receipt_that_names_options_instead_of_an_image_is_refused(key: str, value: str) -> None:
    assert read_container(Fields(CONTAINER)).repository == "localhost:5000/x"
    with pytest.raises(BadRecord, match=key):
        read_container(Fields({**CONTAINER, key: value}))

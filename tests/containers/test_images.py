"""Which image a name means, bringing it, and finding a recorded one again."""

from pathlib import Path
from typing import Any

import pytest

from tallystick.containers.engine import Engine, find_engine
from tallystick.containers.images import Resolved, find_again, look, resolve
from tallystick.errors import EnvironmentNotRebuilt, Refused
from tallystick.records.image import parse_image
from tallystick.records.provenance import Container
from tests.containers.fake import FakeEngine, image, on_path

REGISTRY = "registry.example.org/team/train"
FIRST = "sha256:" + "1" * 64
SECOND = "sha256:" + "2" * 64


@pytest.fixture
def fake(tmp_path: Path) -> FakeEngine:
    return FakeEngine(tmp_path)


def engine(fake: FakeEngine) -> Engine:
    return find_engine({"PATH": on_path(fake.folder)})


def resolved(fake: FakeEngine, written: str) -> Resolved:
    name = parse_image(written)
    assert name is not None
    return resolve(engine(fake), name, written, lambda _: None)


def again(fake: FakeEngine, recorded: Container) -> Resolved:
    fake.forget()
    return find_again(engine(fake), recorded, lambda _: None)


def pulled(fake: FakeEngine) -> list[str]:
    return [words[-1] for words in fake.told("pull")]


def test_an_image_that_is_here_is_not_pulled(fake: FakeEngine) -> None:
    fake.has(image("one", [f"{REGISTRY}:1"], [f"{REGISTRY}@{FIRST}"]))
    record = resolved(fake, f"{REGISTRY}:1").record
    one = image("one")["Id"]
    assert record == Container(
        f"{REGISTRY}:1", f"sha256:{one}", "linux/amd64", "podman", "4.3.1", REGISTRY, FIRST
    )
    assert not fake.told("pull")


def test_an_absent_image_is_pulled_by_what_was_written(fake: FakeEngine) -> None:
    fake.has(image("one", [f"{REGISTRY}:1"], [f"{REGISTRY}@{FIRST}"]), where="registry")
    assert resolved(fake, f"{REGISTRY}:1").record.digest == FIRST
    assert fake.told("pull") == [["pull", "--quiet", f"{REGISTRY}:1"]]


def test_a_tag_beside_a_digest_is_left_out_of_what_an_engine_is_asked_for(fake: FakeEngine) -> None:
    fake.has(image("one", [], [f"{REGISTRY}@{FIRST}"]), where="registry")
    record = resolved(fake, f"{REGISTRY}:9@{FIRST}").record
    assert pulled(fake) == [f"{REGISTRY}@{FIRST}"]
    assert (record.image, record.repository, record.digest) == (f"{REGISTRY}:9@{FIRST}", REGISTRY, FIRST)


@pytest.mark.parametrize(
    ("tags", "digests", "known"),
    [
        (["localhost/x:latest"], [f"localhost/x@{FIRST}"], (None, None)),
        (["x:latest"], [f"docker.io/library/x@{FIRST}"], ("docker.io/library/x", FIRST)),
        (["x:latest"], [f"x@{FIRST}"], ("docker.io/library/x", FIRST)),
        (["x:latest"], [f"quay.io/x@{SECOND}", f"docker.io/library/x@{FIRST}"], ("quay.io/x", SECOND)),
        (["x:latest"], [f"localhost/x@{FIRST}", f"{REGISTRY}@{SECOND}"], (REGISTRY, SECOND)),
        (["x:latest"], ["no name at all", f"a@{FIRST}garbage"], (None, None)),
    ],
)
def test_the_registry_that_has_an_image_is_recorded(
    fake: FakeEngine, tags: list[str], digests: list[str], known: tuple[str | None, str | None]
) -> None:
    fake.has(image("one", tags, digests))
    record = resolved(fake, tags[0].removesuffix(":latest")).record
    assert (record.repository, record.digest) == known


def test_an_image_that_is_nowhere_is_said_with_the_engines_words(fake: FakeEngine) -> None:
    with pytest.raises(
        Refused, match=r"`pyhton:3` is not here, and can't be pulled: .*manifest unknown"
    ) as caught:
        resolved(fake, "pyhton:3")
    assert "docker.io/library/pyhton" in str(caught.value.hint)


def test_an_image_of_another_platform_is_refused(fake: FakeEngine) -> None:
    fake.has(image("one", ["x:latest"], platform="linux/arm64"))
    with pytest.raises(Refused, match="is for linux/arm64; podman runs linux/amd64 here"):
        resolved(fake, "x")


def test_an_engine_that_fails_is_not_one_that_has_nothing(fake: FakeEngine) -> None:
    fake.program.write_text("#!/bin/sh\necho 'storage is corrupt' >&2; exit 125\n")
    with pytest.raises(Refused, match="can't look at the image `x`: storage is corrupt"):
        look(engine(fake), "x")


@pytest.mark.parametrize(
    "told", ["", "[]", "{}", "[1]", '[{"Id": "x"}]', '[{"Id": "", "Os": "a", "Architecture": "b"}]']
)
def test_nonsense_of_an_engine_is_no_image(fake: FakeEngine, told: str) -> None:
    fake.program.write_text(f"#!/bin/sh\necho '{told}'\n")
    with pytest.raises(Refused, match="can't be understood"):
        look(engine(fake), "x")


@pytest.fixture
def recorded(fake: FakeEngine) -> Container:
    fake.has(image("one", [f"{REGISTRY}:1"], [f"{REGISTRY}@{FIRST}"]))
    return resolved(fake, f"{REGISTRY}:1").record


def test_a_recorded_image_is_found_by_its_id_whatever_its_tag_means_now(
    fake: FakeEngine, recorded: Container
) -> None:
    fake.has(image("two", [f"{REGISTRY}:1"], [f"{REGISTRY}@{SECOND}"]), image("one"))
    assert again(fake, recorded).image.id == recorded.config
    assert not pulled(fake)


def test_one_that_is_gone_is_pulled_by_its_digest(fake: FakeEngine, recorded: Container) -> None:
    fake.has(image("two", [f"{REGISTRY}:1"], [f"{REGISTRY}@{SECOND}"]))
    fake.has(image("one", [], [f"{REGISTRY}@{FIRST}"]), where="registry")
    assert again(fake, recorded).image.id == recorded.config
    assert pulled(fake) == [f"{REGISTRY}@{FIRST}"]


def test_one_whose_digest_is_gone_may_come_by_its_name_if_it_is_the_same(
    fake: FakeEngine, recorded: Container
) -> None:
    fake.has()
    fake.has(image("one", [f"{REGISTRY}:1"], [f"{REGISTRY}@{SECOND}"]), where="registry")
    assert again(fake, recorded).image.id == recorded.config
    assert pulled(fake) == [f"{REGISTRY}@{FIRST}", f"{REGISTRY}:1"]


@pytest.mark.parametrize("where", ["here", "registry"])
def test_another_image_never_takes_its_place(fake: FakeEngine, recorded: Container, where: str) -> None:
    fake.has()
    fake.has(image("two", [f"{REGISTRY}:1"], [f"{REGISTRY}@{SECOND}"]), where=where)
    with pytest.raises(EnvironmentNotRebuilt) as caught:
        again(fake, recorded)
    told = caught.value.message
    assert "is gone: podman has none with its ID here" in told
    assert f"`{REGISTRY}@{FIRST}` can't be pulled" in told
    assert f"`{REGISTRY}:1` is another image now" in told
    assert "push it to its registry again" in str(caught.value.hint)
    assert (f"{REGISTRY}:1" in pulled(fake)) == (where == "registry")


def test_one_that_was_only_ever_here_is_not_asked_of_a_registry(fake: FakeEngine) -> None:
    fake.has(image("one", ["localhost/x:latest"], [f"localhost/x@{FIRST}"]))
    record = resolved(fake, "localhost/x").record
    fake.has()
    with pytest.raises(EnvironmentNotRebuilt, match="there is no `localhost/x`"):
        again(fake, record)
    assert not pulled(fake)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"platform": "linux/arm64"}, "is for linux/amd64; podman runs linux/arm64 here"),
        ({"broken": "no rights"}, "`podman` doesn't work here: no rights"),
    ],
)
def test_what_keeps_an_image_from_running_here_is_said(
    fake: FakeEngine, recorded: Container, state: dict[str, Any], why: str
) -> None:
    fake.says(**state)
    with pytest.raises(EnvironmentNotRebuilt, match=why):
        again(fake, recorded)

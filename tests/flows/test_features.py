"""Features: what was published as v3 stays v3."""

import pytest

from tallystick.errors import BadRecord
from tallystick.records.features import digest_of, parse, with_published
from tests.flows.conftest import Stages

VIEWS = b"""\
views:
  # by user
  users:
    version: 3   # bump me
    definition: users.sql
    schema: {user: int}

  other: {version: "1.2", query: select 1}
"""


def test_a_view_is_published_beside_everything_that_is_written_there() -> None:
    digest = digest_of(b"select 1", None)
    text = with_published(VIEWS, "users", "v4", digest)
    assert b"  # by user\n" in text
    assert b"    version: 4   # bump me\n" in text
    assert parse(text)["users"].published == {"v4": digest}
    again = with_published(text, "users", "v5", digest)
    assert parse(again)["users"].published == {"v4": digest, "v5": digest}


def test_a_view_in_braces_is_left_to_the_user() -> None:
    with pytest.raises(BadRecord, match="can't be changed in this text") as caught:
        with_published(VIEWS, "other", "v2", digest_of(b"", None))
    assert "write by hand `version: 2`" in (caught.value.hint or "")


def test_blanks_at_the_ends_of_lines_mean_nothing_and_schemas_do() -> None:
    assert digest_of(b"a  \r\nb\n\n", None) == digest_of(b"a\nb", None)
    assert digest_of(b"a b", None) != digest_of(b"a  b", None)
    assert digest_of(b"a", None) != digest_of(b"a", {"x": "int"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("views: {a: {version: 1}}", "one of the two"),
        ("views: {a: {version: 1, query: a, definition: b}}", "one of the two"),
        ("views: {a: {version: 3.1, query: a}}", "is no version"),
        ("views: {a: {version: x, query: a}}", "is no version"),
        ("views: {a: {query: a}}", "`version` is missing"),
        ("views: {a b: {version: 1, query: a}}", "view's name"),
        ("views: {a: {version: 1, definition: ../x}}", "unsafe path"),
        ("views: {a: {version: 1, query: a, published: {v1: abc}}}", "digest"),
        ("features: {}", "unknown key `features`"),
    ],
)
def test_a_mistake_is_named(text: str, complaint: str) -> None:
    with pytest.raises(BadRecord, match=complaint) as caught:
        parse(text)
    assert caught.value.source == "features.yaml"


def test_a_view_that_changed_stops_its_stages_until_it_is_published_anew(bare: Stages) -> None:
    bare.repo.write("users.sql", "select 1\n")
    bare.repo.write("features.yaml", VIEWS.decode())
    bare.pipeline("stages:\n  s: {cmd: 'echo a > a', outs: [a], features: [users@v3]}\n")
    assert "publish v3: tally features publish users" in bare.tally("run", code=3).err
    assert "users@v3 is published" in bare.tally("features", "publish", "users").out
    assert bare.states() == {"s": "succeeded"}
    (feature,) = bare.receipt("s")["features"]
    assert (feature["view"], feature["version"]) == ("users", "v3")
    assert bare.states() == {"s": "up to date"}
    bare.repo.write("users.sql", "select 2\n")
    assert "publish v4" in bare.tally("run", code=3).err
    (problem,) = bare.tally("check", "--json", code=1).json()["problems"]
    assert problem["what"] == "feature can't be used: view `users` changed, but is still called v3"
    assert problem["hint"] == "publish v4: tally features publish users"
    assert "publish v4" in bare.tally("status").out
    assert "users@v4 is published" in bare.tally("features", "publish", "users").out
    assert "`users` is at v4" in bare.tally("run", code=12).err
    bare.pipeline("stages:\n  s: {cmd: 'echo a > a', outs: [a], features: [users@v4]}\n")
    assert bare.reasons("s") == ["feature users changed: v3 -> v4"]
    assert "meant something else" in bare.tally("features", "publish", "users", "--as", "v3", code=3).err
    listed = bare.tally("features", "--json").json()["views"]
    assert [(view["view"], view["state"]) for view in listed] == [
        ("users", "published"),
        ("other", "unpublished"),
    ]


def test_a_view_that_there_is_not_is_named(bare: Stages) -> None:
    bare.pipeline("stages:\n  s: {cmd: 'echo a > a', outs: [a], features: [users@v3]}\n")
    assert "`features.yaml` has no such view" in bare.tally("run", code=12).err

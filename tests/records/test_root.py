"""Root records and the store's own format."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.records.root import (
    CHUNKER,
    RootRecord,
    StoreFormat,
    parse,
    parse_format,
    parts,
    render,
    render_format,
)
from tests.records.strategies import digests, object_names, relaxed, times

some_digests = st.lists(digests, unique=True, max_size=5).map(sorted).map(tuple)
roots = st.builds(
    RootRecord,
    repository=st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True),
    time=times,
    commits=st.lists(object_names, max_size=3, unique=True).map(sorted).map(tuple),
    digests=some_digests,
    packs=some_digests,
)
ROOT = RootRecord("0a1b", "2026-01-31T12:00:00Z", ("a" * 40,), (Digest.of(b"x"),), ())


@relaxed
@given(roots)
def test_a_root_survives_a_round_trip(root: RootRecord) -> None:
    assert parse(render(root)) == root


@pytest.mark.parametrize(("number", "lengths"), [(0, [0]), (2, [2]), (5, [2, 2, 1])])
def test_a_root_that_names_very_much_is_several(
    number: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.records.root.MOST_DIGESTS", 2)
    named = tuple(Digest.of(b"%d" % each) for each in range(number))
    root = RootRecord("0a1b", ROOT.time, ROOT.commits, named, (Digest.of(b"pack"),))
    some = list(parts(root))
    assert [len(part.digests) for part in some] == lengths
    assert sorted(digest for part in some for digest in part.digests) == sorted(named)
    assert {(part.commits, part.packs) for part in some} == {(root.commits, root.packs)}


def test_the_order_of_what_was_pushed_does_not_matter() -> None:
    one, two = Digest.of(b"1"), Digest.of(b"2")
    assert render(RootRecord("r", ROOT.time, (), (one, two), ())) == render(
        RootRecord("r", ROOT.time, (), (two, one), ())
    )


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("tally", 2, "later version"),
        ("repository", "../x", "malformed"),
        ("repository", "", "malformed"),
        ("time", "now", "malformed"),
        ("commits", ["HEAD"], "full commit ids"),
        ("commits", "a" * 40, "must be a list"),
        ("digests", ["x"], "not a digest"),
        ("packs", [1], "plain texts"),
        ("extra", 1, "unknown key"),
    ],
)
def test_a_broken_root_is_refused(key: str, value: Any, complaint: str) -> None:
    values = json.loads(render(ROOT)) | {key: value}
    with pytest.raises(BadRecord, match=complaint):
        parse(json.dumps(values), "roots/x.json")


def test_a_root_of_thirty_thousand_blobs_can_be_read_again() -> None:
    many = tuple(Digest.of(str(number).encode()) for number in range(30_000))
    assert set(parse(render(RootRecord("r", ROOT.time, (), many, ()))).digests) == set(many)


def test_the_stores_format_survives_a_round_trip() -> None:
    data = render_format(StoreFormat())
    assert parse_format(data) == StoreFormat(1, CHUNKER)
    assert json.loads(data)["tally-store"] == 1


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not valid JSON"),
        (b"{}", "`tally-store` is missing"),
        (b'{"tally-store": 2}', "later version"),
        (b'{"tally-store": 1}', "`chunker` is missing"),
        (b'{"tally-store": 1, "chunker": {"algorithm": "rabin"}}', "chunker"),
        (b'{"tally-store": 0}', "whole number"),
    ],
)
def test_a_store_of_another_kind_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(BadRecord, match=complaint):
        parse_format(data)

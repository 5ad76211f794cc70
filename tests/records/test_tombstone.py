"""Tombstones: read exactly as written, refused otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.records.tombstone import Tombstone, parse, render

PACK = str(Digest.of(b"pack"))


@given(st.lists(st.binary(min_size=32, max_size=32).map(Digest), unique=True))
def test_what_is_written_is_read_back(packs: list[Digest]) -> None:
    tombstone = Tombstone("2026-01-31T12:00:00Z", tuple(sorted(packs)))
    assert parse(render(tombstone)) == tombstone
    assert render(parse(render(tombstone))) == render(tombstone)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"tally": 2, "time": "2026-01-31T12:00:00Z", "packs": []}',
        '{"tally": 1, "time": "yesterday", "packs": []}',
        '{"tally": 1, "time": "2026-01-31T12:00:00Z", "packs": ["x"]}',
        '{"tally": 1, "time": "2026-01-31T12:00:00Z", "packs": [], "more": 1}',
        f'{{"tally": 1, "packs": ["{PACK}"]}}',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadRecord, match=r"x\.json"):
        parse(text, "x.json")

"""The pack format: what is written is read back, and nothing else is believed."""

import random
import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectCorrupt
from tallystick.store import pack
from tallystick.store.pack import MAGIC, RAW, ZSTD, Contents, Encoder, decode, footer, read_contents

WORDS = b"the quick brown fox jumps over the lazy dog " * 200


def packed(*blobs: bytes, nonce: bytes = bytes(16)) -> bytes:
    contents = Contents()
    for blob in blobs:
        contents.append(Digest.of(blob), len(blob), len(blob), RAW)
    return MAGIC + b"".join(blobs) + footer(contents.entries, contents.end, nonce)


def unpacked(data: bytes) -> list[bytes]:
    entries = read_contents(data, len(data))
    return [decode(data[e.offset : e.offset + e.stored], e.digest, e.size, e.encoding, "") for e in entries]


def test_the_test_vector_of_the_format_is_written() -> None:
    data = packed(b"", b"tally", b"stick", nonce=bytes(range(16)))
    assert len(data) == 226
    assert Digest.of(data).hex() == "b7c5385abaf3a7c1d6942f5264db09a23c80493aa6c5b4720dc85d7f7c378699"
    assert unpacked(data) == [b"", b"tally", b"stick"]


@given(st.lists(st.binary(max_size=100), max_size=20, unique=True))
def test_blobs_come_back(blobs: list[bytes]) -> None:
    assert unpacked(packed(*blobs)) == blobs


def test_two_packs_of_the_same_blobs_have_different_names() -> None:
    contents = Contents()
    assert contents.footer() != contents.footer()


@given(st.integers(0, 225))
def test_a_pack_cut_off_anywhere_is_refused(length: int) -> None:
    data = packed(b"", b"tally", b"stick")
    with pytest.raises((BadRecord, ObjectCorrupt)):
        unpacked(data[:length])


@given(st.integers(8, 225), st.integers(1, 255))
def test_a_changed_byte_is_noticed_wherever_it_is(position: int, change: int) -> None:
    data = bytearray(packed(b"", b"tally", b"stick"))
    data[position] ^= change
    with pytest.raises((BadRecord, ObjectCorrupt)):
        unpacked(bytes(data))


@given(st.binary(max_size=300))
def test_anything_else_is_no_pack(data: bytes) -> None:
    with pytest.raises(BadRecord):
        read_contents(data, len(data))


def test_a_later_version_is_named_as_such() -> None:
    data = packed(b"x")[:-1] + b"\x02"
    with pytest.raises(BadRecord, match="not known to this version"):
        read_contents(data, len(data))


@pytest.mark.parametrize(
    "rows",
    [
        [(8, 5, 5, RAW), (8, 5, 5, RAW)],
        [(9, 5, 5, RAW)],
        [(8, 4, 5, RAW)],
        [(8, 5, 1 << 31, ZSTD)],
        [(8, 5, 4, ZSTD)],
        [(8, 5, 5, 7)],
        [(8, 1 << 31, 1 << 31, RAW)],
    ],
)
def test_contents_that_make_no_sense_are_refused(rows: list[tuple[int, int, int, int]]) -> None:
    entries = [pack.Entry(Digest.of(b"tally"), *row) for row in rows]
    data = MAGIC + b"tally" + footer(entries, 13)
    with pytest.raises(BadRecord):
        read_contents(data, len(data))


def test_what_shrinks_by_a_tenth_is_compressed() -> None:
    stored, encoding = Encoder().encode(WORDS)
    assert encoding == ZSTD
    assert len(stored) < len(WORDS) // 10
    assert decode(stored, Digest.of(WORDS), len(WORDS), ZSTD, "") == WORDS


@pytest.mark.parametrize("size", [0, 1, 5000, 200_000])
def test_what_does_not_shrink_is_stored_as_it_is(size: int) -> None:
    data = random.Random(1).randbytes(size)
    assert Encoder().encode(data) == (data, RAW)


def test_a_frame_that_claims_another_size_is_damaged_and_not_unpacked() -> None:
    bomb = zstandard.compress(bytes(1 << 28))
    for size in (100, 1 << 24, 1 << 28):
        with pytest.raises(ObjectCorrupt):
            decode(bomb, Digest.of(b""), size, ZSTD, "somewhere")


def test_a_frame_that_hides_its_size_is_damaged() -> None:
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(WORDS)
    with pytest.raises(ObjectCorrupt):
        decode(frame, Digest.of(WORDS), len(WORDS), ZSTD, "somewhere")


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_no_bytes_decode_to_what_they_are_not(stored: bytes, size: int, encoding: int) -> None:
    with pytest.raises(ObjectCorrupt) as caught:
        decode(stored, Digest.of(b"another"), size, encoding, "somewhere")
    assert caught.value.places == ("somewhere",)


def test_a_pack_that_claims_millions_of_entries_costs_nothing() -> None:
    trailer = pack.TRAILER.pack(bytes(16), (1 << 32) - 1, 8, bytes(32), MAGIC)
    with pytest.raises(BadRecord):
        read_contents(MAGIC + trailer, 72)
    assert struct.calcsize("<16sII32s8s") == 64

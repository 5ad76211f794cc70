"""Cut points are pinned: another version that cuts elsewhere would share nothing with old stores."""

import hashlib
import io
import random
import sys
from collections.abc import Iterator

import pytest

from tallystick.digest import Digest
from tallystick.errors import Refused
from tallystick.records.root import CHUNKER
from tallystick.store import chunker
from tallystick.store.chunker import average, averages, chunks, cut
from tallystick.store.pack import LARGE

MIB = 1 << 20


VECTOR_DIGEST = "7afae328de8849f75c16d0c5e0f3de39a52a1d4132ab1713da4c8ec08de64e13"
VECTOR_LENGTHS = [
    *(44750, 97027, 33907, 70353, 78316, 68884, 67292, 87332, 73244, 66461),
    *(76900, 96941, 96171, 67245, 83970, 41939, 65946, 86059, 44005, 35750),
    *(90701, 34979, 114785, 90484, 30082, 74476, 99013, 106049, 68274, 5817),
]
MASKS = {14: 0xD90313530000, 18: 0xD90707537000}
GEAR = [int.from_bytes(hashlib.md5(bytes([byte]) * 64).digest()[:8], "big") for byte in range(256)]


def by_the_book(data: bytes) -> Iterator[int]:
    """The lengths that the text of docs/format.md gives for an average of 64 KiB."""
    while data:
        yield (length := first_cut(data))
        data = data[length:]


def first_cut(data: bytes) -> int:
    least, middle, most = 16 << 10, 64 << 10, 256 << 10
    end, rolling = min(len(data), most), 0
    for position in range(least, end // 2 * 2):
        rolling = ((rolling << 1) + GEAR[data[position]]) & (2**64 - 1)
        if rolling & MASKS[18 if position < min(middle, end // 2 * 2) else 14] == 0:
            return position
    return end


def vector(size: int) -> bytes:
    """The test vector of docs/format.md: an xorshift generator's bytes."""
    state, words = 0x9E3779B97F4A7C15, []
    for _ in range(size // 8):
        state ^= (state << 13) & (2**64 - 1)
        state ^= state >> 7
        state ^= (state << 17) & (2**64 - 1)
        words.append(state.to_bytes(8, "little"))
    return b"".join(words)


def test_the_test_vector_is_cut_where_the_format_says() -> None:
    data = vector(2 * MIB)
    assert Digest.of(data).hex() == VECTOR_DIGEST
    assert [len(piece) for piece in chunks(data)] == VECTOR_LENGTHS
    assert list(by_the_book(data)) == VECTOR_LENGTHS


@pytest.mark.parametrize("size", [LARGE, LARGE + 12_345])
def test_the_text_of_the_format_gives_the_same_cuts(size: int) -> None:
    data = random.Random(size).randbytes(size // 2) + bytes(size - size // 2)
    assert [len(piece) for piece in chunks(data)] == list(by_the_book(data))


def test_zeros_are_cut_at_the_largest_size() -> None:
    assert {len(piece) for piece in chunks(bytes(2 * MIB))} == {256 << 10}


@pytest.mark.parametrize("size", [LARGE, LARGE + 1, 5 * MIB, 40 * MIB + 7])
def test_pieces_make_the_whole_and_keep_to_their_bounds(size: int) -> None:
    data = random.Random(size).randbytes(size)
    pieces = list(chunks(data))
    assert b"".join(pieces) == data
    assert all(16 << 10 <= len(piece) <= 256 << 10 for piece in pieces[:-1])


def test_what_is_not_large_is_one_piece() -> None:
    for size in (0, 1, LARGE - 1):
        assert [bytes(piece) for piece in chunks(bytes(size))] == [bytes(size)]


def test_without_the_compiled_chunker_nothing_is_cut_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyfastcdc.cy", None)
    monkeypatch.setattr(chunker, "_compiled", chunker._compiled.__wrapped__)
    assert list(chunks(b"small")) == [b"small"]
    with pytest.raises(Refused, match="compiled") as caught:
        list(chunks(bytes(LARGE)))
    with pytest.raises(Refused, match="compiled"):
        list(cut(io.BytesIO(bytes(LARGE)), LARGE))
    assert "pyfastcdc" in str(caught.value.hint)


def test_an_inserted_byte_makes_few_new_chunks() -> None:
    data = random.Random(1).randbytes(16 * MIB)
    before = {bytes(piece) for piece in chunks(data)}
    after = [bytes(piece) for piece in chunks(data[: 7 * MIB] + b"!" + data[7 * MIB :])]
    assert len([piece for piece in after if piece not in before]) <= 3


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, 64 << 10),
        (1 << 30, 64 << 10),
        ((1 << 30) + 1, 128 << 10),
        (16 << 30, 1 << 20),
        (64 << 30, 4 << 20),
        (1 << 40, 4 << 20),
    ],
)
def test_the_average_grows_with_the_file(size: int, expected: int) -> None:
    assert average(size) == expected


@pytest.mark.parametrize("size", [1 << power for power in range(28, 40)])
@pytest.mark.parametrize("more", [1, 2, 4096, 100 << 20])
def test_a_file_that_grows_or_shrinks_across_a_bound_may_be_cut_as_before(size: int, more: int) -> None:
    assert average(size) in averages(size + more)
    assert average(size + more) in averages(size)


def test_the_store_record_describes_this_chunker() -> None:
    assert CHUNKER == {
        "algorithm": "fastcdc-2020",
        "smallest_average": chunker.SMALLEST_AVERAGE,
        "largest_average": chunker.LARGEST_AVERAGE,
        "normalization": chunker.NORMALIZATION,
    }

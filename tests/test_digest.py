"""Names for bytes."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.digest import PIECE, Digest, each_in, fingerprint, hash_file, hash_stream
from tallystick.errors import BadRecord

EMPTY = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_the_digest_of_nothing_is_the_published_test_vector() -> None:
    assert str(Digest.of(b"")) == EMPTY


@given(st.binary(min_size=32, max_size=32))
def test_text_and_digest_are_two_forms_of_one_thing(raw: bytes) -> None:
    assert Digest.parse(str(Digest(raw))) == raw


@pytest.mark.parametrize(
    "text",
    [
        "",
        "af13",
        EMPTY.upper(),
        EMPTY[:-1],
        EMPTY + "0",
        EMPTY.replace(":", ""),
        "md5:" + "0" * 32,
        EMPTY + "\n",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadRecord, match="digest"):
        Digest.parse(text)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7])
def test_a_stream_read_in_pieces_hashes_like_its_bytes(size: int, tmp_path) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    file = tmp_path / "file"
    file.write_bytes(data)
    hashed = hash_file(str(file))
    assert hashed == hash_stream(io.BytesIO(data))
    assert (hashed.digest, hashed.fingerprint, hashed.size) == (Digest.of(data), fingerprint(data), size)


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 600])
def test_digests_side_by_side_are_told_one_by_one(count: int) -> None:
    each = [number.to_bytes(32, "little") for number in range(count)]
    assert list(each_in(bytearray(b"".join(each)))) == each

"""Tests of the memory that files are read into."""

import ctypes
import mmap

from tallystick import memory


def test_a_room_begins_with_a_page_and_is_as_long_as_asked_for() -> None:
    for size in (1, 5000, 1 << 20):
        room = memory.room(size)
        begin = ctypes.addressof(ctypes.c_char.from_buffer(room))
        assert (begin % mmap.PAGESIZE, len(room), bytes(room[:9])) == (0, size, bytes(min(size, 9)))


def test_what_is_written_into_a_room_stays_there() -> None:
    room = memory.room(16)
    room[3:6] = b"abc"
    assert bytes(room[:8]) == b"\0\0\0abc\0\0"

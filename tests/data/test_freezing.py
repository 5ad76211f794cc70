import os

from tallystick.data.freezing import freeze_all
from tallystick.data.placing import place_all
from tallystick.data.tracked import pointers_of, select
from tallystick.digest import PIECE
from tests.project.house import opened
from tests.sandbox import Repo


class Steps:
    """What a progress heard: the bytes of each work's steps, and how many it was told to expect."""

    def __init__(self) -> None:
        self.expected: list[int] = []
        self.sizes: list[list[int]] = []
        self.files = 0

    def begin(self, what: str, *, files: int = 0, size: int = 0) -> None:
        self.expected.append(size)
        self.sizes.append([])

    def advance(self, files: int = 0, size: int = 0) -> None:
        self.files += files
        self.sizes[-1].append(size)

    def end(self) -> None: ...

    def say(self, message: str) -> None: ...


def test_progress_moves_within_a_large_file_that_is_added_or_placed(project: Repo) -> None:
    large, small = os.urandom(5 * PIECE + 3), b"small"
    project.write("data/large", large)
    project.write("data/small", small)
    adding, placing = Steps(), Steps()
    freeze_all(opened(project), ["data"], progress=adding)
    for name in ("large", "small"):
        (project.path / "data" / name).unlink()
    (project.path / "data").rmdir()
    place_all(opened(project), select(pointers_of(opened(project)), ["data"]), progress=placing)
    assert (project.path / "data/large").read_bytes() == large
    for heard in (adding, placing):
        assert heard.files == 2
        assert max(heard.expected) == max(map(sum, heard.sizes)) == len(large) + len(small)
        assert max(max(sizes, default=0) for sizes in heard.sizes) <= PIECE

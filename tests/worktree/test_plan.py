"""What should stand where is looked at once more before anything is written."""

import pytest

from tallystick.errors import BadRecord
from tallystick.records.tree import EMPTY, Entry
from tallystick.worktree.plan import check_paths


def entries(*paths: bytes) -> list[Entry]:
    return [Entry("f", EMPTY, 0, path) for path in paths]


OUTSIDE = [b"", b"..", b"../a", b"a/..", b"a/../b", b".", b"a/./b", b"/a", b"a/", b"a//b", b"a\0b", b"\0"]
GITS = [b".git", b"a/.GIT/b", b".Git/hooks/x"]


@pytest.mark.parametrize("path", [*OUTSIDE, *GITS])
def test_no_path_leads_out_of_its_folder_or_into_gits(path: bytes) -> None:
    for paths in ((path,), (b"a0", path), (path, b"z"), (b"a0", path, b"z")):
        with pytest.raises(BadRecord, match="leads out"):
            check_paths(entries(*paths), "data", "tree")


def test_what_only_looks_like_such_a_path_is_fine() -> None:
    paths = (b"...", b"..a", b".gitignore", b"a.git", b"a/.github/b", b"a..b", b"git", b"x/.g/it", b"z/..b")
    check_paths(entries(*paths), "data", "tree")
    check_paths([], "data", "tree")

"""What a stage may touch, worked out before its command starts."""

import os
from pathlib import Path

import pytest

from tallystick.runs import listing, undeclared


@pytest.mark.parametrize("many", [1, 1000])
def test_links_among_deps_are_followed_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(listing, "LISTED", many)
    root = Path(os.path.realpath(tmp_path))
    (root / "d").mkdir()
    (root / "d/file").write_text("1")
    (root / "d/link").symlink_to("../there")
    (root / "out").symlink_to("/")
    paths = ["d/file", "d/link", "d/absent", "gone/x", "out"]
    assert list(undeclared._targets(str(root), paths)) == ["there"]

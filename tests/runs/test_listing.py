"""Many paths are asked about at once."""

import os
from pathlib import Path

import pytest

from tallystick.runs import listing
from tallystick.runs.listing import links, missing


@pytest.mark.parametrize("enough", [1, 500])
def test_links_and_what_is_missing_are_told_with_a_list_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enough: int
) -> None:
    monkeypatch.setattr(listing, "LISTED", enough)
    (tmp_path / "d/folder").mkdir(parents=True)
    for name in ("top", "d/file"):
        (tmp_path / name).touch()
    (tmp_path / "d/link").symlink_to("file")
    (tmp_path / "d/nowhere").symlink_to("gone")
    (tmp_path / "d/around").symlink_to(".")
    paths = ["top", "d/file", "d/link", "d/nowhere", "d/gone", "d/folder", "d/around/file", "e/gone"]
    root = os.fspath(tmp_path)
    assert set(links(root, paths)) == {"d/link", "d/nowhere"}
    assert missing(root, paths) == {"d/nowhere", "d/gone", "e/gone"}

"""What is allowed to run, and what takes an allowance away."""

import json
import shutil
from pathlib import Path

import pytest

from tallystick.project.grants import Grants


@pytest.fixture
def grants(tmp_path: Path) -> Grants:
    common = tmp_path / "repo/.git"
    common.mkdir(parents=True)
    return Grants(tmp_path / "settings", common)


def test_nothing_is_allowed_at_first(grants: Grants) -> None:
    assert not grants.granted(["make"])
    assert not grants.granted_all()


def test_nothing_to_run_needs_no_grant(grants: Grants) -> None:
    assert grants.granted([])


def test_a_grant_is_for_its_commands_only(grants: Grants) -> None:
    grants.grant(["python train.py", "python evaluate.py"])
    assert grants.granted(["python evaluate.py"])
    assert not grants.granted(["python evaluate.py", "python evaluate.py --upload"])
    assert not grants.granted_all()


def test_grants_add_up(grants: Grants) -> None:
    grants.grant(["a"])
    grants.grant(["b"])
    assert grants.granted(["a", "b"])
    assert grants.known() == {"a", "b"}


def test_a_grant_for_everything_covers_what_comes_later(grants: Grants) -> None:
    grants.grant_all()
    assert grants.granted(["anything"])
    grants.grant(["one"])
    assert grants.granted_all()


def test_a_repository_cloned_to_where_a_trusted_one_stood_is_not_trusted(grants: Grants) -> None:
    grants.grant_all()
    shutil.rmtree(grants.common)
    grants.common.mkdir()
    assert not grants.granted(["make"])


def test_a_copied_git_directory_is_not_trusted_elsewhere(grants: Grants, tmp_path: Path) -> None:
    grants.grant_all()
    copy = tmp_path / "copy/.git"
    shutil.copytree(grants.common, copy)
    assert not Grants(grants.settings, copy).granted(["make"])


def test_a_grant_holds_through_a_symlink_to_the_repository(grants: Grants, tmp_path: Path) -> None:
    grants.grant_all()
    (tmp_path / "link").symlink_to(grants.common.parent)
    assert Grants(grants.settings, tmp_path / "link/.git").granted(["make"])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 1, "everything": true}',
        b'{"version": 2, "everything": true, "mark": "MARK"}',
        b'{"version": 1, "everything": "yes", "commands": "make", "mark": "MARK"}',
        b'{"version": 1, "everything": 1, "commands": [["make"]], "mark": "MARK"}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_grant_allows_nothing(grants: Grants, text: bytes) -> None:
    grants.grant_all()
    (file,) = (grants.settings / "grants").iterdir()
    file.write_bytes(text.replace(b"MARK", json.loads(file.read_bytes())["mark"].encode()))
    assert not grants.granted(["make"])


def test_grants_are_readable_by_their_owner_only(grants: Grants) -> None:
    grants.grant(["make"])
    (file,) = (grants.settings / "grants").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0

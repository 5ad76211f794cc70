"""Stop tracking."""

from pathlib import Path

import pytest

from tallystick.errors import Refused, WouldLoseChanges
from tallystick.flows.remove import remove
from tests.project.house import opened
from tests.sandbox import Repo, Tally


@pytest.fixture
def data(project: Repo, tally: Tally) -> Repo:
    project.write("data/images/1", "one")
    project.write("data/labels", "a")
    tally("add", "data/images", "data/labels")
    project.commit()
    return project


def test_the_pointer_goes_and_the_data_stays_where_git_sees_it(data: Repo) -> None:
    remove(opened(data), ["data/labels"])
    assert not (data.path / "data/labels.tally").exists()
    assert data.read("data/labels") == b"a"
    assert "?? data/labels" in data.git("status", "--porcelain")
    assert data.read("data/.gitignore") == b"/images\n"
    assert data.git("diff", "--cached", "--name-only").split() == ["data/.gitignore", "data/labels.tally"]


def test_the_data_goes_too_if_wished_and_stays_in_the_store(data: Repo, tally: Tally) -> None:
    (removed,) = remove(opened(data), ["data/images"], delete=True).paths
    assert removed.deleted == 1
    assert not (data.path / "data/images").exists()
    tally("checkout", "HEAD", "data/images")
    assert data.read("data/images/1") == b"one"


def test_data_that_is_stored_nowhere_is_deleted_only_by_force(data: Repo) -> None:
    data.write("data/images/2", "new")
    with pytest.raises(WouldLoseChanges, match="data/images/2"):
        remove(opened(data), ["data/labels", "data/images"], delete=True)
    assert data.read("data/images/2") == b"new"
    assert data.read("data/labels") == b"a"
    assert (data.path / "data/labels.tally").exists()
    remove(opened(data), ["data/images"], delete=True, force=True)
    assert not (data.path / "data/images").exists()


def test_a_part_of_a_folder_can_not_be_removed_alone(data: Repo) -> None:
    with pytest.raises(Refused, match="as a whole"):
        remove(opened(data), ["data/images/1"])


def test_what_is_not_tracked_can_not_be_removed(data: Repo) -> None:
    with pytest.raises(Refused, match="not tracked"):
        remove(opened(data), ["README.md"])
    assert Path(data.path / "README.md").exists()


def test_gits_index_is_left_alone_if_wished(data: Repo) -> None:
    remove(opened(data), ["data/labels"], stage=False)
    assert data.git("diff", "--cached", "--name-only") == ""

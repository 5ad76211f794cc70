"""Large files of the worktree that are links to the store's (`store.link = symlink`)."""

import os
import shutil
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.errors import Refused
from tests.project.house import edit_in_place, opened
from tests.sandbox import Repo, Tally

BIG = os.urandom(1_200_000)
OTHER = BIG[::-1]


@pytest.fixture
def linked(project: Repo, tally: Tally) -> Repo:
    """A project in which a large file, and one in a folder, are links to the store's."""
    tally("config", "--local", "store.link", "symlink")
    project.write("model.bin", BIG)
    project.write("data/deep/big", OTHER)
    project.write("data/small", "small")
    tally("add", "model.bin", "data")
    project.commit()
    return project


def stored(repo: Repo, data: bytes = BIG) -> Path:
    return opened(repo).store.object_name(Digest.of(data))


def states(tally: Tally) -> dict[str, tuple[str, bool]]:
    paths = tally("status", "--json", code=None).json()["paths"]
    return {path["path"]: (path["state"], path["stored"]) for path in paths}


def test_what_is_added_becomes_a_link_to_the_store_s_file(linked: Repo, tally: Tally) -> None:
    assert os.readlink(linked.path / "data/deep/big").startswith("../../.git/tally/objects/")
    for file, data in ((linked.path / "model.bin", BIG), (linked.path / "data/deep/big", OTHER)):
        assert file.is_symlink()
        assert file.samefile(stored(linked, data))
        assert file.read_bytes() == data
        assert stored(linked, data).stat().st_mode & 0o777 == 0o444
        assert stored(linked, data).stat().st_nlink == 1
    assert not (linked.path / "data/small").is_symlink()
    assert tally("status", "--json").json()["clean"]


@pytest.mark.slow
def test_it_is_recorded_as_the_file_that_it_stands_for(project: Repo, tally: Tally) -> None:
    project.write("data/big", BIG)
    tally("add", "data")
    plain = (project.path / "data.tally").read_bytes()
    tally("config", "--local", "store.link", "symlink")
    tally("add", "data")
    assert (project.path / "data/big").is_symlink()
    assert (project.path / "data.tally").read_bytes() == plain


@pytest.mark.parametrize("whole", [True, False])
def test_checkout_places_links(linked: Repo, tally: Tally, *, whole: bool) -> None:
    (linked.path / "model.bin").unlink()
    if whole:
        shutil.rmtree(linked.path / "data")
    else:
        (linked.path / "data/deep/big").unlink()
    tally("checkout")
    assert (linked.path / "model.bin").is_symlink()
    assert (linked.path / "data/deep/big").samefile(stored(linked, OTHER))
    assert tally("status", "--json").json()["clean"]


@pytest.mark.slow
def test_a_clone_pulls_links_to_a_store_of_its_own(
    linked: Repo, tally: Tally, remote: Path, tmp_path: Path
) -> None:
    tally("push")
    clone = linked.clone(tmp_path / "clone")
    there = Tally(clone.path)
    there("config", "--local", "store.link", "symlink")
    there("pull")
    assert (clone.path / "model.bin").samefile(stored(clone))
    assert not stored(clone).samefile(stored(linked))
    assert there("status", "--json").json()["clean"]


@pytest.mark.slow
def test_another_version_takes_the_link_s_place_and_the_store_keeps_both(linked: Repo, tally: Tally) -> None:
    (linked.path / "model.bin").unlink()
    linked.write("model.bin", OTHER[1:])
    assert states(tally)["model.bin"][0] == "modified"
    assert "changes would be lost" in tally("checkout", code=16).err
    tally("add", "model.bin")
    linked.commit("Second")
    tally("checkout", "HEAD~1")
    assert (linked.path / "model.bin").read_bytes() == BIG
    tally("checkout", "-")
    assert (linked.path / "model.bin").samefile(stored(linked, OTHER[1:]))
    assert stored(linked).read_bytes() == BIG


def test_what_stops_being_tracked_is_a_file_again(linked: Repo, tally: Tally) -> None:
    tally("remove", "data", "model.bin")
    for file, data in ((linked.path / "model.bin", BIG), (linked.path / "data/deep/big", OTHER)):
        assert not file.is_symlink()
        assert file.read_bytes() == data


@pytest.mark.slow
def test_what_is_no_longer_tracked_takes_only_the_link_along(linked: Repo, tally: Tally) -> None:
    linked.git("rm", "-q", "data.tally")
    linked.commit("Without data")
    tally("checkout", "HEAD~1")
    assert (linked.path / "data/deep/big").is_symlink()
    tally("checkout", "-")
    assert not (linked.path / "data").exists()
    assert stored(linked, OTHER).read_bytes() == OTHER


def test_unprotect_gives_a_copy_that_can_be_edited(linked: Repo, tally: Tally) -> None:
    done = tally("unprotect", "model.bin", "data", "--json").json()
    assert [(path["path"], path["files"]) for path in done["paths"]] == [("data", 1), ("model.bin", 1)]
    file = linked.path / "model.bin"
    assert not file.is_symlink()
    assert file.stat().st_mode & 0o200
    edit_in_place(file)
    assert stored(linked).read_bytes() == BIG
    assert states(tally)["model.bin"] == ("modified", True)


def test_a_file_edited_under_its_link_is_noticed_and_its_object_is_never_believed(
    linked: Repo, tally: Tally
) -> None:
    edit_in_place(linked.path / "model.bin")
    assert states(tally)["model.bin"] == ("modified", False)
    assert not stored(linked).exists()
    assert states(tally)["model.bin"] == ("modified", False)
    tally("unprotect", "model.bin")
    assert (linked.path / "model.bin").read_bytes() == b"edited" + BIG[6:]


def test_what_was_edited_under_its_link_is_added_as_what_it_is_now(linked: Repo, tally: Tally) -> None:
    edit_in_place(linked.path / "model.bin")
    tally("add", "model.bin")
    now = b"edited" + BIG[6:]
    assert (linked.path / "model.bin").samefile(stored(linked, now))
    assert opened(linked).store.read(Digest.of(now)) == now
    assert tally("status", "--json").json()["clean"]
    assert not opened(linked).store.contains(Digest.of(BIG))
    assert opened(linked).store.read(Digest.of(now)) == now


@pytest.mark.slow
def test_nothing_that_was_edited_is_lost_when_it_happens_twice(linked: Repo, tally: Tally) -> None:
    for _ in range(2):
        edit_in_place(linked.path / "model.bin")
        tally("status", code=None)
        (linked.path / "model.bin").unlink()
        linked.write("model.bin", BIG)
        tally("add", "model.bin")
    aside = list((linked.path / ".git/tally/quarantine").iterdir())
    assert [path.read_bytes()[:6] for path in aside] == [b"edited", b"edited"]


def test_a_link_whose_object_is_gone_is_said_to_be_so_and_checkout_puts_it_back(
    linked: Repo, tally: Tally, remote: Path
) -> None:
    tally("push")
    for data in (BIG, OTHER):
        stored(linked, data).unlink()
    assert states(tally)["data"][0] == "untrackable"
    for refused in (["add", "data"], ["add", "model.bin"], ["unprotect", "model.bin"]):
        done = tally(*refused, code=3)
        assert "isn't there any more" in done.err
        assert "tally checkout" in done.err
    tally("checkout")
    assert (linked.path / "model.bin").read_bytes() == BIG
    assert (linked.path / "data/deep/big").read_bytes() == OTHER
    assert tally("status", "--json").json()["clean"]


def test_links_stay_good_when_the_repository_is_moved(linked: Repo, tmp_path: Path) -> None:
    moved = Repo(linked.path.rename(tmp_path / "moved"))
    assert Tally(moved.path)("status", "--json").json()["clean"]
    assert (moved.path / "data/deep/big").samefile(stored(moved, OTHER))


def test_a_linked_worktree_leads_to_the_one_store_and_may_be_moved(
    linked: Repo, tally: Tally, tmp_path: Path
) -> None:
    linked.git("worktree", "add", "-q", "../other")
    there = Tally(tmp_path / "other")
    there("checkout")
    file = tmp_path / "other/data/deep/big"
    assert os.readlink(file) == str(stored(linked, OTHER).resolve())
    assert there("status", "--json").json()["clean"]
    linked.git("worktree", "move", "../other", "../elsewhere")
    assert Tally(tmp_path / "elsewhere")("status", "--json").json()["clean"]


@pytest.mark.slow
def test_links_of_a_worktree_whose_repository_has_moved_are_mended(linked: Repo, tmp_path: Path) -> None:
    linked.git("worktree", "add", "-q", "../other")
    there = Tally(tmp_path / "other")
    there("checkout")
    moved = Repo(linked.path.rename(tmp_path / "moved"))
    moved.git("worktree", "repair", "../other")
    assert "isn't there any more" in there("add", "data", code=3).err
    there("checkout")
    assert os.readlink(tmp_path / "other/model.bin") == str(stored(moved).resolve())
    assert there("status", "--json").json()["clean"]


def test_only_the_link_that_tally_would_make_counts(linked: Repo, tally: Tally) -> None:
    name = stored(linked).name
    for target in (
        "../.git/tally/objects/{}/../{}",
        "./../.git/tally/objects/{}/{}",
        "../.git//tally/objects/{}/{}",
        "../../repo/.git/tally/objects/{}/{}",
        "{here}/.git/tally/objects/{}/{}",
        "../.git/tally/packs/{}/{}",
    ):
        link = linked.path / "data/x"
        link.symlink_to(target.format(name[:2], name, here=linked.path))
        with pytest.raises(Refused, match="is a link"):
            opened(linked).worktree.scan("data")
        link.unlink()


def test_a_link_that_git_brings_gains_its_author_nothing(linked: Repo, tally: Tally, tmp_path: Path) -> None:
    """It leads into the store of whoever clones: to a file there, to none, or to what is no file."""
    name, absent = stored(linked).name, "ab" * 32
    folder = linked.path / ".git/tally/objects/cd" / ("cd" * 32)
    folder.mkdir(parents=True)
    evil = linked.path / "evil"
    evil.mkdir()
    for link, digest in (("there", name), ("absent", absent), ("folder", "cd" * 32)):
        (evil / link).symlink_to(f"../.git/tally/objects/{digest[:2]}/{digest}")
    linked.git("add", "-f", "evil")
    linked.commit("Links into the store")
    before = stored(linked).read_bytes()
    # Git tracks them: they are not taken in, and not replaced.
    assert "git tracks" in tally("add", "evil", code=3).err
    tally("checkout", "--force")
    assert sorted(os.listdir(evil)) == ["absent", "folder", "there"]
    # With a pointer on top, one counts as what the store itself says it is, the others as nothing.
    linked.write("evil.tally", (linked.path / "data.tally").read_text().replace("path: data", "path: evil"))
    assert states(tally)["evil"][0] == "untrackable"
    tally("checkout", "--force", "evil", code=None)
    assert stored(linked).read_bytes() == before
    assert stored(linked).stat().st_mode & 0o777 == 0o444
    assert folder.is_dir()
    assert not (folder.parent.parent / "ab").exists()


@pytest.mark.slow
def test_a_tree_can_t_bring_a_link_into_the_store(linked: Repo, tally: Tally) -> None:
    name = stored(linked).name
    (linked.path / "data/deep/x").symlink_to(f"../.git/tally/objects/{name[:2]}/{name}")
    tally("add", "data")
    (linked.path / "data/deep/x").unlink()
    tally("checkout")
    # Inside its folder it leads nowhere: what counts as the store's leads out, and no tree may.
    assert not (linked.path / "data/deep/x").exists()
    assert (linked.path / "data/deep/x").is_symlink()


@pytest.mark.slow
def test_an_executable_gets_bytes_of_its_own(linked: Repo, tally: Tally) -> None:
    linked.write("tool", OTHER[2:])
    (linked.path / "tool").chmod(0o755)
    tally("add", "tool")
    assert not (linked.path / "tool").is_symlink()
    (linked.path / "tool").unlink()
    tally("checkout")
    assert os.access(linked.path / "tool", os.X_OK)
    assert not (linked.path / "tool").is_symlink()


@pytest.mark.slow
def test_a_link_becomes_an_executable_of_its_own_when_the_pointer_says_so(linked: Repo, tally: Tally) -> None:
    pointer = linked.path / "model.bin.tally"
    pointer.write_text(pointer.read_text() + "executable: true\n")
    tally("checkout")
    assert os.access(linked.path / "model.bin", os.X_OK)
    assert not (linked.path / "model.bin").is_symlink()
    assert stored(linked).stat().st_mode & 0o777 == 0o444


def test_a_stage_reads_through_links_and_writes_its_outs_anew(linked: Repo, tally: Tally) -> None:
    linked.write(
        "tally.yaml",
        "stages:\n  copy:\n    cmd: cat model.bin data/deep/big > both.bin\n"
        "    deps: [model.bin, data]\n    outs: [both.bin]\n",
    )
    tally("run", "--trust")
    out = linked.path / "both.bin"
    assert out.is_symlink()
    assert out.read_bytes() == BIG + OTHER
    linked.write("tally.yaml", (linked.path / "tally.yaml").read_text().replace("cat ", "cat data/small "))
    tally("run", "--trust")
    assert out.read_bytes() == b"small" + BIG + OTHER
    assert stored(linked, BIG + OTHER).read_bytes() == BIG + OTHER
    assert out.is_symlink()


@pytest.mark.slow
def test_a_repetition_and_a_failed_stage_leave_links_and_store_alone(linked: Repo, tally: Tally) -> None:
    linked.write(
        "tally.yaml",
        "stages:\n  copy:\n    cmd: cat model.bin > both.bin\n    deps: [model.bin]\n    outs: [both.bin]\n",
    )
    tally("run", "--trust")
    linked.commit("Run")
    assert "identical" in tally("repro", "--trust", "--no-rebuild", code=None).out
    linked.write("tally.yaml", (linked.path / "tally.yaml").read_text().replace("cat ", "exit 1; cat "))
    tally("run", "--trust", code=18)
    assert (linked.path / "both.bin").samefile(stored(linked))


@pytest.mark.slow
def test_the_doctor_says_what_placing_does(linked: Repo, tally: Tally) -> None:
    assert "makes a link" in tally("doctor", code=None).out
    tally("config", "--local", "store.link", "hardlink")
    assert "a second name" in tally("doctor", code=None).out

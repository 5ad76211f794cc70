import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.envs.capture import capture, wheel_data
from tallystick.envs.captured import Captured
from tallystick.errors import Refused
from tallystick.records import environment as record
from tallystick.records.environment import Package
from tests.envs.house import Venv, write_project, write_wheel

Make = Callable[..., Venv]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def taken(venv: Venv, variables: dict[str, str], root: Path) -> Captured:
    captured = capture(venv.python, variables, root)
    assert record.parse(record.render(captured.lock)) == captured.lock
    return captured


def only(captured: Captured) -> Package:
    (package,) = captured.lock.packages
    return package


def test_an_empty_environment_is_an_environment(venv: Make, variables: dict[str, str], root: Path) -> None:
    captured = taken(venv(), variables, root)
    assert captured.lock.packages == ()
    assert captured.lock.python == captured.python


def test_packages_of_an_index_are_pinned(
    index: Path, venv: Make, variables: dict[str, str], root: Path
) -> None:
    captured = taken(venv("alpha", "beta"), variables, root)
    pinned = [(package.name, package.version, package.source) for package in captured.lock.packages]
    assert pinned == [("alpha", "1.0", "index"), ("beta", "2.1", "index")]
    assert all(package.record for package in captured.lock.packages)
    assert (captured.wheels, captured.problems) == ((), ())


def test_packages_of_an_index_have_the_hashes_of_the_projects_lock(
    index: Path, venv: Make, variables: dict[str, str], root: Path
) -> None:
    known = "sha256:" + "a" * 64
    package = (
        f"[[package]]\nname = 'alpha'\nversion = '1.0'\nwheels = [{{ hash = '{known}' }}, {{ hash = 'x' }}]\n"
    )
    (root / "uv.lock").write_text(package)
    captured = taken(venv("alpha", "beta"), variables, root)
    assert {each.name: each.hashes for each in captured.lock.packages} == {"alpha": (known,), "beta": ()}


def test_the_same_packages_make_the_same_lock(
    index: Path, venv: Make, variables: dict[str, str], root: Path
) -> None:
    one = taken(venv("alpha", "beta", name="one"), variables, root)
    two = taken(venv("beta", "alpha", name="two"), variables, root)
    assert record.identity(one.lock) == record.identity(two.lock)


def test_what_replaces_a_package_under_its_version_is_noticed(
    index: Path, venv: Make, variables: dict[str, str], root: Path
) -> None:
    before = taken(venv("alpha", name="one"), variables, root)
    write_wheel(index, "alpha", "1.0", {"alpha.py": "NAME = 'other'\n"})
    after = taken(venv("alpha", "--no-cache", name="two"), variables, root)
    assert record.compare(before.lock, after.lock) == ("alpha 1.0: other files under the same version",)


def test_a_package_from_a_local_path_is_kept_as_a_wheel(
    venv: Make, variables: dict[str, str], root: Path, tmp_path: Path
) -> None:
    captured = taken(venv(str(write_project(tmp_path / "gamma", "gamma", "0.1"))), variables, root)
    package = only(captured)
    (wheel,) = captured.wheels
    assert (package.source, package.url, package.wheel) == ("path", "gamma-0.1.whl", wheel.digest)
    assert Digest.of(wheel_data(wheel)) == wheel.digest
    assert str(tmp_path) not in record.render(captured.lock).decode()


def test_a_kept_package_that_changes_after_the_capture_is_refused(
    venv: Make, variables: dict[str, str], root: Path, tmp_path: Path
) -> None:
    made = venv(str(write_project(tmp_path / "gamma", "gamma", "0.1")))
    (wheel,) = taken(made, variables, root).wheels
    (made.site / "gamma/__init__.py").write_text("VERSION = 'edited'\n")
    with pytest.raises(Refused, match="gamma"):
        wheel_data(wheel)


def test_the_project_itself_is_recorded_without_its_code(
    venv: Make, variables: dict[str, str], root: Path
) -> None:
    write_project(root / "libs/delta", "delta", "0.2")
    made = venv("--editable", str(root / "libs/delta"))
    before = taken(made, variables, root)
    assert (only(before).source, only(before).url) == ("editable", "libs/delta/src")
    (root / "libs/delta/src/delta/__init__.py").write_text("VERSION = 'edited'\n")
    assert taken(made, variables, root).lock == before.lock


def test_an_editable_install_of_elsewhere_is_kept_with_its_code(
    venv: Make, variables: dict[str, str], root: Path, tmp_path: Path
) -> None:
    source = write_project(tmp_path / "delta", "delta", "0.2")
    made = venv("--editable", str(source))
    before = taken(made, variables, root)
    (source / "src/delta/__init__.py").write_text("VERSION = 'edited'\n")
    after = taken(made, variables, root)
    assert only(before).source == "path"
    assert record.compare(before.lock, after.lock) == ("delta 0.2: other files under the same version",)


def test_links_that_setuptools_makes_are_followed(
    venv: Make, variables: dict[str, str], root: Path, tmp_path: Path
) -> None:
    write_project(root, "delta", "0.2", layout=".")
    made = venv("--editable", str(root))
    link, finder = made.site / "_delta.pth", made.site / "__editable___delta_finder.py"
    link.unlink()
    finder.write_text(f"MAPPING: dict[str, str] = {{'delta': {str(root / 'delta')!r}}}\nNAMESPACES = {{}}\n")
    rename_in_record(made, "_delta.pth", finder.name)
    assert only(taken(made, variables, root)).url == "."


def test_an_editable_install_that_cannot_be_followed_is_named(
    venv: Make, variables: dict[str, str], root: Path, tmp_path: Path
) -> None:
    made = venv("--editable", str(write_project(tmp_path / "delta", "delta", "0.2")))
    (made.site / "_delta.pth").write_text("import delta_magic\n")
    captured = taken(made, variables, root)
    assert captured.wheels == ()
    assert "`delta` 0.2 can't be kept for a rebuild" in captured.problems[0]


def test_a_commit_of_a_repository_is_recorded_without_its_password(
    index: Path, venv: Make, variables: dict[str, str], root: Path
) -> None:
    made = venv("alpha")
    vcs = {"vcs": "git", "commit_id": "c0ffee"}
    say_where_from(made, {"url": "https://ada:secret@example.org/alpha.git?token=x", "vcs_info": vcs})
    captured = taken(made, variables, root)
    assert only(captured).source == "vcs"
    assert only(captured).url == "git+https://example.org/alpha.git@c0ffee"
    assert len(captured.wheels) == 1


def test_a_wheel_from_a_url_is_pinned_by_its_hash(
    index: Path, venv: Make, variables: dict[str, str], root: Path
) -> None:
    made = venv("alpha")
    url = "https://x:y@example.org/alpha-1.0-py3-none-any.whl"
    say_where_from(made, {"url": url, "archive_info": {"hashes": {"sha256": "ab" * 32}}})
    package = only(taken(made, variables, root))
    assert (package.source, package.hashes) == ("url", (f"sha256:{'ab' * 32}",))
    assert package.url == "https://example.org/alpha-1.0-py3-none-any.whl"


def test_an_archive_from_a_url_that_would_have_to_be_built_is_kept(
    index: Path, venv: Make, variables: dict[str, str], root: Path
) -> None:
    made = venv("alpha")
    archive = {"hash": f"sha256={'ab' * 32}"}
    say_where_from(made, {"url": "https://example.org/alpha.zip", "archive_info": archive})
    captured = taken(made, variables, root)
    assert only(captured).source == "url"
    assert [wheel.name for wheel in captured.wheels] == ["alpha"]


def test_a_package_of_an_index_that_was_built_here_is_kept(
    index: Path, venv: Make, variables: dict[str, str], root: Path
) -> None:
    made = venv("alpha", "beta")
    (made.site / "alpha-1.0.dist-info/uv_build.json").write_text("{}")
    wheel = made.site / "beta-2.1.dist-info/WHEEL"
    wheel.write_text(wheel.read_text().replace("py3-none-any", "cp311-cp311-linux_x86_64"))
    captured = taken(made, variables, root)
    assert [wheel.name for wheel in captured.wheels] == ["alpha", "beta"]
    assert [package.source for package in captured.lock.packages] == ["index", "index"]


def test_packages_without_a_record_are_remarked_upon(
    index: Path, venv: Make, variables: dict[str, str], root: Path
) -> None:
    made = venv("alpha")
    (made.site / "alpha-1.0.dist-info/RECORD").unlink()
    captured = taken(made, variables, root)
    assert only(captured).record is None
    assert "1 packages have no record of their files (alpha)" in captured.problems[0]


def say_where_from(venv: Venv, direct: dict[str, object]) -> None:
    (venv.site / "alpha-1.0.dist-info/direct_url.json").write_text(json.dumps(direct))


def rename_in_record(venv: Venv, old: str, new: str) -> None:
    (record_file,) = venv.site.glob("*.dist-info/RECORD")
    record_file.write_text(record_file.read_text().replace(old, new))

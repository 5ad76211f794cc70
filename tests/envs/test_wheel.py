import os
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.envs import wheel as wheels
from tallystick.envs.capture import installed_record
from tallystick.envs.installed import Distribution, distributions
from tallystick.envs.wheel import build, file_name
from tallystick.errors import BadRecord, Refused
from tests.envs.house import Venv, write_wheel

Make = Callable[..., Venv]


def installed(venv: Venv, name: str = "alpha") -> Distribution:
    return next(each for each in distributions([str(venv.site)]) if each.name == name)


def test_a_wheel_made_of_what_is_installed_installs_as_the_same(
    index: Path, venv: Make, tmp_path: Path
) -> None:
    files = {"alpha.py": "x = 1\n", "a, b.txt": "", "alpha-1.0.data/data/share/alpha/notes.txt": "notes\n"}
    files["alpha-1.0.data/scripts/alpha-old"] = "#!python\nprint('ran', __file__)\n"
    write_wheel(index, "alpha", "1.0", files, scripts=["alpha-new = alpha:main"])
    first = venv("alpha", name="first")
    made = build(installed(first))
    path = tmp_path / file_name(made.data)
    path.write_bytes(made.data)
    second = venv(str(path), name="second")
    assert installed_record(installed(second)) == installed_record(installed(first)) == made.record
    assert {"alpha-old", "alpha-new"} <= set(os.listdir(second.path / "bin"))
    assert (second.path / "bin/alpha-old").read_text().startswith(f"#!{second.path}")
    assert (second.path / "share/alpha/notes.txt").read_text() == "notes\n"
    assert os.access(second.path / "bin/alpha-old", os.X_OK)


def test_the_same_files_make_the_same_bytes(index: Path, venv: Make) -> None:
    first, second = venv("beta", name="first"), venv("beta", "--no-cache", name="second")
    for path in second.site.rglob("*"):
        os.utime(path, (1, 1))
    one, two = build(installed(first, "beta")), build(installed(second, "beta"))
    assert one.digest == two.digest == Digest.of(one.data)


def test_bytecode_and_the_installers_own_notes_stay_out(index: Path, venv: Make) -> None:
    made = venv("alpha")
    made.run("import alpha")
    with zipfile.ZipFile(BytesIO(build(installed(made)).data)) as archive:
        names = [name.rpartition("/")[2] for name in archive.namelist()]
    assert sorted(names) == ["METADATA", "RECORD", "WHEEL", "alpha.py", "entry_points.txt"]


def test_an_edited_file_is_kept_as_it_is(index: Path, venv: Make) -> None:
    made = venv("alpha")
    before = build(installed(made))
    (made.site / "alpha.py").unlink()
    (made.site / "alpha.py").write_text("NAME = 'edited'\n")
    assert build(installed(made)).record != before.record


def test_a_package_without_a_record_is_refused(index: Path, venv: Make) -> None:
    made = venv("alpha")
    (made.site / "alpha-1.0.dist-info/RECORD").unlink()
    with pytest.raises(Refused, match=r"`alpha` 1\.0 can't be kept"):
        build(installed(made))


@pytest.mark.parametrize("path", ["../../../lib/../../secret", "alpha/../../secret", "no/such/file"])
def test_a_record_that_names_files_elsewhere_is_refused(index: Path, venv: Make, path: str) -> None:
    made = venv("alpha")
    record = made.site / "alpha-1.0.dist-info/RECORD"
    record.write_text(record.read_text() + f"{path},sha256=x,1\n")
    with pytest.raises(Refused, match=r"`alpha` 1\.0 can't be kept"):
        build(installed(made))


def test_a_package_that_is_too_large_is_refused(
    index: Path, venv: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = venv("alpha")
    monkeypatch.setattr(wheels, "LARGEST", 100)
    with pytest.raises(Refused, match="larger than"):
        build(installed(made))


def test_the_file_name_tells_every_tag() -> None:
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        tags = "Tag: cp311-cp311-manylinux_2_17_x86_64\nTag: cp311-cp311-manylinux2014_x86_64\n"
        archive.writestr("alpha-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\n{tags}")
    name = "alpha-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    assert file_name(data.getvalue()) == name


@pytest.mark.parametrize("data", [b"", b"PK", b"not a wheel"])
def test_what_is_no_wheel_is_refused(data: bytes) -> None:
    with pytest.raises(BadRecord, match="not a wheel"):
        file_name(data)

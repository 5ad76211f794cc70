from pathlib import Path

import pytest

from tallystick.envs.installed import File, distributions, essential, normalised, record_digest, recorded

PIP = """\
../../../bin/alpha-run,sha256=aaa,210
../../../share/man/alpha.1,sha256=man,9
__pycache__/alpha.cpython-311.pyc,,
alpha.py,sha256=bbb,15
alpha-1.0.dist-info/INSTALLER,sha256=pip,4
alpha-1.0.dist-info/METADATA,sha256=ccc,60
alpha-1.0.dist-info/RECORD,,
alpha-1.0.dist-info/REQUESTED,sha256=ddd,0
"""

UV = """\
../../../../share/man/alpha.1,sha256=man,9
../../../../bin/alpha-run,sha256=zzz,333
alpha-1.0.dist-info/INSTALLER,sha256=uv,2
alpha-1.0.dist-info/METADATA,sha256=ccc,60
alpha-1.0.dist-info/RECORD,,
alpha-1.0.dist-info/direct_url.json,sha256=eee,7
alpha-1.0.dist-info/uv_cache.json,sha256=fff,7
alpha.py,sha256=bbb,15
"""


def install(site: Path, name: str, version: str, **files: str) -> Path:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n\nName: decoy\n")
    for file, text in files.items():
        (info / file.replace("_json", ".json")).write_text(text)
    return info


def digest_of(site: Path) -> bytes:
    (found,) = distributions([str(site)])
    rows = recorded(found)
    assert rows is not None
    return record_digest(essential(rows))


def test_a_package_is_the_same_whichever_installer_put_it_there(tmp_path: Path) -> None:
    install(tmp_path / "pip", "alpha", "1.0", RECORD=PIP)
    install(tmp_path / "uv", "alpha", "1.0", RECORD=UV)
    assert digest_of(tmp_path / "pip") == digest_of(tmp_path / "uv")


@pytest.mark.parametrize(("old", "new"), [("bbb", "BBB"), ("alpha.py", "alphA.py"), ("man,9", "men,9")])
def test_a_package_with_other_files_is_another(tmp_path: Path, old: str, new: str) -> None:
    install(tmp_path / "one", "alpha", "1.0", RECORD=PIP)
    install(tmp_path / "two", "alpha", "1.0", RECORD=PIP.replace(old, new))
    assert digest_of(tmp_path / "one") != digest_of(tmp_path / "two")


def test_a_quoted_path_in_a_record_is_read(tmp_path: Path) -> None:
    install(tmp_path, "alpha", "1.0", RECORD='"a, ""b"".txt",sha256=x,1\nalpha.py,sha256=y,2\n')
    (found,) = distributions([str(tmp_path)])
    assert recorded(found) == (File('a, "b".txt', "sha256=x"), File("alpha.py", "sha256=y"))


def test_names_are_compared_as_indexes_do(tmp_path: Path) -> None:
    install(tmp_path, "Ruamel.Yaml__clib", "1.0")
    (found,) = distributions([str(tmp_path)])
    assert found.name == normalised("ruamel-yaml.clib") == "ruamel-yaml-clib"


def test_the_first_of_a_name_on_the_path_counts(tmp_path: Path) -> None:
    install(tmp_path / "one", "alpha", "2.0")
    install(tmp_path / "two", "alpha", "1.0")
    install(tmp_path / "two", "beta", "1.0")
    found = distributions([str(tmp_path / "none"), str(tmp_path / "one"), str(tmp_path / "two")])
    assert [(each.name, each.version) for each in found] == [("alpha", "2.0"), ("beta", "1.0")]


def test_leftovers_of_a_broken_uninstall_are_passed_over(tmp_path: Path) -> None:
    install(tmp_path, "~lpha", "1.0")
    (tmp_path / "empty.dist-info").mkdir()
    (tmp_path / "file.zip").write_bytes(b"")
    assert distributions([str(tmp_path), str(tmp_path / "file.zip")]) == ()


def test_old_eggs_are_seen(tmp_path: Path) -> None:
    (tmp_path / "old_one-1.2-py3.11.egg-info").write_text("Name: old-one\nVersion: 1.2\n")
    folder = tmp_path / "other-0.3.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Name: other\nVersion: 0.3\n")
    found = distributions([str(tmp_path)])
    assert [(each.name, each.version) for each in found] == [("old-one", "1.2"), ("other", "0.3")]
    assert recorded(found[0]) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"url": 3}', '{"url"'])
def test_a_direct_url_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    install(tmp_path, "alpha", "1.0", direct_url_json=text)
    (found,) = distributions([str(tmp_path)])
    assert found.direct is None


def test_where_conda_built_a_package_does_not_count(tmp_path: Path) -> None:
    url = '{"url": "file:///home/conda/feedstock_root", "dir_info": {}}'
    install(tmp_path, "alpha", "1.0", INSTALLER="conda\n", direct_url_json=url)
    (found,) = distributions([str(tmp_path)])
    assert found.direct is None


def test_what_virtualenv_lists_besides_a_packages_files_is_no_part_of_it() -> None:
    rows = [File("pip/__init__.py", "sha256=a"), File("pip-26.3.dist-info/METADATA", "sha256=b")]
    marked = [*rows, File("pip-26.3.virtualenv", ""), File("pip/__pycache__", "")]
    assert record_digest(essential(marked)) == record_digest(essential(rows))
    assert essential([File("pip/odd.virtualenv", "sha256=c")])

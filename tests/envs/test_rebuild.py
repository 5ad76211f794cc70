import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.envs.activate import variables as activated
from tallystick.envs.capture import capture, wheel_data
from tallystick.envs.captured import Captured
from tallystick.envs.rebuild import MARKER, Rebuilt, folder_of, rebuild
from tallystick.errors import BadRecord, EnvironmentNotRebuilt, ObjectMissing
from tallystick.records.environment import Lock, Package
from tests.envs.house import Venv, write_project, write_wheel

Make = Callable[..., Venv]
Take = Callable[..., Captured]


@pytest.fixture
def take(index: Path, venv: Make, variables: dict[str, str], tmp_path: Path) -> Take:
    def make(*packages: str) -> Captured:
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        return capture(venv(*packages).python, variables, root)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "environments/one"


def again(captured: Captured, folder: Path, **options: bool) -> Rebuilt:
    kept = {wheel.digest: wheel for wheel in captured.wheels}
    return rebuild(captured.lock, folder, read=lambda digest: wheel_data(kept[digest]), **options)  # type: ignore[arg-type]


def nothing(digest: Digest) -> bytes:
    raise ObjectMissing("gone", [digest], ["the local store"])


def test_a_rebuilt_environment_equals_the_recorded_one(
    take: Take, folder: Path, variables: dict[str, str], tmp_path: Path
) -> None:
    captured = take("alpha", "beta")
    rebuilt = again(captured, folder)
    env = activated(rebuilt, variables, captured.lock, tmp_path)
    second = capture(str(rebuilt.python), env, tmp_path / "project")
    assert second.lock == captured.lock
    assert (rebuilt.reused, rebuilt.version, rebuilt.platform) == (False, captured.python, captured.platform)
    assert (rebuilt.bin / "alpha-run").is_file()


def test_the_second_time_it_stands_there_already(take: Take, folder: Path) -> None:
    captured = take("alpha")
    again(captured, folder)
    assert again(captured, folder).reused


def test_an_environment_without_packages_can_be_rebuilt(take: Take, folder: Path) -> None:
    assert again(take(), folder).python.is_file()


def half_built(folder: Path) -> None:
    (folder / MARKER).unlink()


def with_more_in_it(folder: Path) -> None:
    (site,) = folder.glob("lib/*/site-packages")
    (site / "gamma-1.0.dist-info").mkdir()
    (site / "gamma-1.0.dist-info/METADATA").write_text("Name: gamma\nVersion: 1.0\n")


def with_less_in_it(folder: Path) -> None:
    (info,) = folder.glob("lib/*/site-packages/alpha-1.0.dist-info")
    shutil.rmtree(info)


def of_another_lock(folder: Path) -> None:
    (folder / MARKER).write_text("{}")


def without_its_python(folder: Path) -> None:
    (folder / "bin/python").unlink()


@pytest.mark.parametrize(
    "damage", [half_built, with_more_in_it, with_less_in_it, of_another_lock, without_its_python]
)
def test_an_environment_that_is_not_whole_is_built_anew(
    take: Take, folder: Path, damage: Callable[[Path], None]
) -> None:
    captured = take("alpha")
    again(captured, folder)
    damage(folder)
    assert not again(captured, folder).reused
    assert again(captured, folder).reused


def test_a_package_that_no_index_has_comes_from_the_store(take: Take, folder: Path, tmp_path: Path) -> None:
    source = write_project(tmp_path / "gamma", "gamma", "0.1")
    captured = take(str(source), "alpha")
    data = {wheel.digest: wheel_data(wheel) for wheel in captured.wheels}
    shutil.rmtree(source)
    rebuilt = rebuild(captured.lock, folder, read=data.__getitem__)
    assert Venv(folder).run("import gamma; print(gamma.VERSION)") == "0.1"
    assert (rebuilt.bin / "gamma-run").is_file()


def test_the_projects_own_code_comes_from_the_worktree(
    take: Take, folder: Path, variables: dict[str, str], tmp_path: Path
) -> None:
    root = tmp_path / "project"
    captured = take("--editable", str(write_project(root, "delta", "0.2")))
    past = tmp_path / "past"
    shutil.copytree(root, past)
    (past / "src/delta/__init__.py").write_text("VERSION = 'as it was'\n")
    rebuilt = again(captured, folder)
    env = activated(rebuilt, variables, captured.lock, past)
    code = "import delta, importlib.metadata as m; print(delta.VERSION, m.version('delta'))"
    assert Venv(folder).run(code, **env) == "as it was 0.2"


def test_a_wheel_that_is_gone_from_the_store_is_named(take: Take, folder: Path, tmp_path: Path) -> None:
    captured = take(str(write_project(tmp_path / "gamma", "gamma", "0.1")))
    with pytest.raises(ObjectMissing) as caught:
        rebuild(captured.lock, folder, read=nothing)
    assert caught.value.digests == (captured.wheels[0].digest,)


def test_an_index_that_gives_other_files_is_found_out_before_they_run(
    take: Take, index: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = take("alpha")
    trace = tmp_path / "executed"
    evil = {"alpha.py": "", "evil.pth": f"import pathlib; pathlib.Path({str(trace)!r}).touch()\n"}
    write_wheel(index, "alpha", "1.0", evil)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another cache"))
    with pytest.raises(EnvironmentNotRebuilt, match=r"`alpha` 1\.0 has other files than the recorded one"):
        again(captured, folder)
    assert not trace.exists()
    assert not folder.exists()


def test_a_package_that_the_index_no_longer_has_is_named(
    take: Take, index: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = take("alpha", "beta")
    next(index.glob("beta*")).unlink()
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another cache"))
    with pytest.raises(EnvironmentNotRebuilt, match="beta") as caught:
        again(captured, folder)
    assert caught.value.exit_code == 17


def test_a_file_that_somebody_edited_through_the_installers_cache_is_named(
    take: Take, folder: Path, tmp_path: Path
) -> None:
    captured = take("alpha", "beta")
    cached = [path for path in (tmp_path / "cache").rglob("alpha.py") if path.is_file()]
    assert cached
    for path in cached:
        path.write_text("NAME = 'edited'\n")
    with pytest.raises(
        EnvironmentNotRebuilt, match=r"`alpha` 1\.0 has an altered file, `alpha\.py`"
    ) as caught:
        again(captured, folder)
    assert "uv cache clean" in (caught.value.hint or "")


def test_a_package_that_was_yanked_is_installed_still(
    take: Take, index: Path, folder: Path, tmp_path: Path
) -> None:
    captured = take("alpha")
    page = tmp_path / "simple/alpha/index.html"
    page.parent.mkdir(parents=True)
    (wheel,) = index.glob("alpha*")
    page.write_text(f'<a href="{wheel.as_uri()}" data-yanked="it was bad">{wheel.name}</a>')
    env = {**os.environ, "UV_DEFAULT_INDEX": page.parent.parent.as_uri()}
    env = {**env, "UV_CACHE_DIR": str(tmp_path / "another cache")}
    del env["UV_FIND_LINKS"], env["UV_OFFLINE"]
    rebuild(captured.lock, folder, read=nothing, env=env)
    assert Venv(folder).run("import alpha; print(alpha.NAME)") == "alpha"


def test_a_package_that_the_index_has_for_other_machines_only_is_named(
    take: Take, index: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = take("alpha")
    (wheel,) = index.glob("alpha*")
    wheel.rename(index / "alpha-1.0-py3-none-macosx_11_0_arm64.whl")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another cache"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.delenv("UV_OFFLINE")
    with pytest.raises(EnvironmentNotRebuilt, match="alpha") as caught:
        again(captured, folder)
    assert "no wheel of it for this machine" in (caught.value.hint or ""), caught.value.message


def test_an_index_that_does_not_answer_is_named_without_its_password(folder: Path) -> None:
    env = {**os.environ, "UV_DEFAULT_INDEX": "http://ada:secret@127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    del env["UV_OFFLINE"]
    with pytest.raises(EnvironmentNotRebuilt, match=r"127\.0\.0\.1:9") as caught:
        rebuild(here(Package("alpha", "1.0")), folder, read=nothing, env=env)
    assert "secret" not in caught.value.message
    assert caught.value.message.startswith("the recorded packages can't be installed: Failed to fetch")


def test_a_package_that_was_not_kept_is_named(folder: Path) -> None:
    lock = here(Package("gamma", "0.1", "path", "gamma-0.1.whl"))
    with pytest.raises(
        EnvironmentNotRebuilt, match=r"`gamma` 0\.1 was installed from a path and was not kept"
    ):
        rebuild(lock, folder, read=nothing)


def test_a_python_that_is_not_here_is_named_beside_those_that_are(folder: Path) -> None:
    with pytest.raises(EnvironmentNotRebuilt) as caught:
        rebuild(Lock("cpython", "3.11.99"), folder, read=nothing)
    assert "Python 3.11.99 (cpython) is needed" in caught.value.message
    assert re.search(r"found: 3\.\d+\.\d+", caught.value.message)
    assert caught.value.hint is not None


def test_another_patch_version_will_do_when_any_python_is_allowed(take: Take, folder: Path) -> None:
    captured = take("alpha")
    lock = replace(captured.lock, python=".".join(captured.python.split(".")[:2]) + ".99")
    rebuilt = rebuild(lock, folder, read=nothing, any_python=True)
    assert rebuilt.version == captured.python
    assert rebuild(lock, folder, read=nothing, any_python=True).reused
    with pytest.raises(EnvironmentNotRebuilt, match="99"):
        rebuild(lock, folder, read=nothing)


def test_a_python_that_is_not_on_the_path_is_used_when_it_is_the_right_one(take: Take, folder: Path) -> None:
    captured = take("alpha")
    rebuilt = rebuild(captured.lock, folder, read=nothing, python=captured.interpreter, env=without_path())
    assert rebuilt.version == captured.python


def test_the_python_at_hand_is_named_and_stands_in_where_it_is_on_no_path(
    take: Take, folder: Path, tmp_path: Path
) -> None:
    captured = take("alpha")
    lock = replace(captured.lock, python=".".join(captured.python.split(".")[:2]) + ".99")
    env = {**os.environ, "PATH": "/nonexistent", "HOME": str(tmp_path)}
    with pytest.raises(EnvironmentNotRebuilt, match=rf"found: .*{re.escape(captured.python)}"):
        rebuild(lock, folder, read=nothing, env=env, python=captured.interpreter)
    options = {"python": captured.interpreter, "any_python": True}
    rebuilt = rebuild(lock, folder, read=nothing, env=env, **options)  # type: ignore[arg-type]
    assert (rebuilt.version, rebuilt.stand_in) == (captured.python, lock.python)


def test_the_python_behind_the_active_environment_will_do(take: Take, folder: Path) -> None:
    captured = take("alpha")
    env = {**os.environ, "PATH": os.path.dirname(captured.interpreter)}
    assert rebuild(captured.lock, folder, read=nothing, env=env).version == captured.python


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("--index-url=http://evil", "1.0"),
        ("alpha", "1.0\n--pre"),
        ("alpha @ file:///etc", "1"),
        ("alpha", ""),
    ],
)
def test_a_lock_cannot_speak_to_the_installer(folder: Path, name: str, version: str) -> None:
    with pytest.raises(BadRecord, match="no package"):
        rebuild(here(Package(name, version)), folder, read=nothing)


def test_equal_locks_share_a_folder(tmp_path: Path) -> None:
    one, two = here(Package("alpha", "1.0")), here(Package("alpha", "1.1"))
    assert folder_of(tmp_path, one) == folder_of(tmp_path, replace(one))
    assert folder_of(tmp_path, one) != folder_of(tmp_path, two)


def here(*packages: Package) -> Lock:
    return Lock(sys.implementation.name, sys.version.split()[0].rstrip("+"), packages)


def without_path() -> dict[str, str]:
    return {**os.environ, "PATH": "/nonexistent"}


@pytest.mark.index
def test_what_pip_installed_uv_rebuilds(
    index: Path, venv: Make, folder: Path, variables: dict[str, str], tmp_path: Path
) -> None:
    made = venv("pip", "six")
    made.run(f"import pip; pip.main(['install', '--no-index', '--find-links', {str(index)!r}, 'beta'])")
    captured = capture(made.python, variables, tmp_path)
    assert [package.name for package in captured.lock.packages] == ["beta", "pip", "six"]
    assert not again(captured, folder).reused

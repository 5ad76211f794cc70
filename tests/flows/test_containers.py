"""Stages that run in container images, with an engine that only pretends."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.containers.fake import FakeEngine, image
from tests.flows.conftest import Stages

REGISTRY = "registry.example.org/team/train"
FIRST = "sha256:" + "1" * 64
SECOND = "sha256:" + "2" * 64
ONE = image("one", [f"{REGISTRY}:1"], [f"{REGISTRY}@{FIRST}"])
TWO = image("two", [f"{REGISTRY}:1"], [f"{REGISTRY}@{SECOND}"])

PIPELINE = f"""\
stages:
  greet:
    cmd: echo "$CONTENT $TALLY_SEED $PYTHONHASHSEED $TALLY_STAGE $FLAVOUR $OUTSIDE." > out.txt
    outs: [out.txt]
    seed: 7
    variables: [FLAVOUR]
    environment: {{image: "{REGISTRY}:1"}}
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare: Stages) -> FakeEngine:
    engine = FakeEngine(tmp_path / "engine")
    engine.has(ONE)
    monkeypatch.setenv("PATH", f"{engine.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FLAVOUR", "plain")
    monkeypatch.setenv("OUTSIDE", "seen")
    bare.pipeline(PIPELINE)
    return engine


@pytest.fixture
def ran(fake: FakeEngine, bare: Stages) -> Stages:
    bare.tally("run")
    bare.repo.commit("Greeted")
    fake.forget()
    return bare


def verdict(stages: Stages, *args: str, code: int = 0) -> Any:
    return stages.tally("repro", "--json", *args, code=code).json()["verdict"]


def pairs(words: list[str], name: str) -> list[str]:
    return [value for word, value in pairwise(words) if word == name]


def test_a_stage_runs_in_its_image_with_what_it_declares_and_nothing_else(
    fake: FakeEngine, bare: Stages
) -> None:
    assert bare.states() == {"greet": "succeeded"}
    assert bare.repo.read("out.txt") == b"one 7 7 greet plain .\n"
    (words,) = fake.told("run")
    assert f"sha256:{ONE['Id']}" in words
    assert f"type=bind,source={bare.repo.path},target=/project" in pairs(words, "--mount")
    assert f"type=bind,source={bare.repo.path}/.git,target=/project/.git,readonly" in pairs(words, "--mount")
    assert pairs(words, "--workdir") == ["/project"]
    assert "--network" not in words
    assert not any(name.startswith(("PATH=", "OUTSIDE=")) for name in pairs(words, "--env"))
    assert words[-3:-1] == ["/bin/sh", "-c"]


def test_the_receipt_says_which_image_it_was(ran: Stages) -> None:
    environment = ran.receipt("greet")["environment"]
    assert environment["container"] == {
        "image": f"{REGISTRY}:1",
        "config": f"sha256:{ONE['Id']}",
        "platform": "linux/amd64",
        "engine": "podman",
        "version": "4.3.1",
        "repository": REGISTRY,
        "digest": FIRST,
    }
    assert (environment["lock"], environment["python"], environment["platform"]) == (
        None,
        "none",
        "linux/amd64",
    )
    shown = ran.tally("show", "greet").out
    assert f"{REGISTRY}@{FIRST}" in shown
    assert "podman 4.3.1" in shown
    assert not (ran.repo.path / "environment.lock").exists()


def test_env_show_tells_the_images_of_stages_runs_and_commits(ran: Stages) -> None:
    run = ran.runs()[0]["run"].removeprefix("blake3:")[:12]
    for target in ((), (run,), ("HEAD",)):
        assert f"a registry has it as {REGISTRY}@{FIRST}" in ran.tally("env", "show", *target).out
    (shown,) = ran.tally("env", "show", "--json").json()["images"]
    assert (shown["stage"], shown["container"]["digest"]) == ("greet", FIRST)
    assert "uses no Python of here" in ran.tally("env", "lock", "greet", code=3).err
    assert f"in the image `{REGISTRY}:1`" in ran.tally("env", "build", run, code=3).err


def test_a_repetition_runs_the_recorded_image_without_a_network(fake: FakeEngine, ran: Stages) -> None:
    found = verdict(ran)
    assert found["outcome"] == "identical"
    assert {"no network", f"image {FIRST}"} <= set(found["enforced"])
    (words,) = fake.told("run")
    assert pairs(words, "--network") == ["none"]
    assert f"target={ran.repo.path}/.git,readonly" in " ".join(pairs(words, "--mount"))


def test_a_stage_that_asks_for_the_network_has_it_when_it_is_repeated(fake: FakeEngine, bare: Stages) -> None:
    bare.pipeline(PIPELINE + "    network: true\n")
    bare.tally("run")
    bare.repo.commit()
    fake.forget()
    enforced = verdict(bare)["enforced"]
    assert "no network" not in enforced
    assert "`greet` asks for the network and had it" in enforced
    assert "--network" not in fake.told("run")[0]


def test_a_tag_that_moved_makes_the_stage_stale_and_the_repetition_stays_with_the_record(
    fake: FakeEngine, ran: Stages
) -> None:
    assert ran.reasons("greet") == []
    assert "1 stage up to date" in ran.tally("status").out
    assert not fake.told("version")
    fake.has(TWO, {**ONE, "RepoTags": [], "RepoDigests": []})
    assert verdict(ran)["outcome"] == "identical"
    status = ran.tally("status", code=None).out
    assert f"environment `{REGISTRY}:1` is another image now" in " ".join(status.split())
    assert (
        ran.tally("check").exit_code == 0
    )  # what is committed fits; what a tag means here is this machine's
    assert ran.states() == {"greet": "succeeded"}
    assert ran.repo.read("out.txt").startswith(b"two ")


def test_status_asks_no_registry_and_needs_no_engine(fake: FakeEngine, ran: Stages) -> None:
    fake.has()
    fake.has(TWO, where="registry")
    assert "1 stage up to date" in ran.tally("status").out
    assert not fake.told("pull")
    fake.says(broken="the daemon is down")
    assert "1 stage up to date" in ran.tally("status").out


def test_another_image_in_the_pipeline_makes_the_stage_stale(fake: FakeEngine, ran: Stages) -> None:
    fake.has(ONE, {**TWO, "RepoTags": [f"{REGISTRY}:2"]})
    ran.pipeline(PIPELINE.replace(":1", ":2"))
    assert ran.reasons("greet") == [f"image changed: {REGISTRY}:1 -> {REGISTRY}:2"]
    ran.tally("check", code=1)
    ran.pipeline("\n".join(line for line in PIPELINE.splitlines() if "image" not in line))
    assert ran.reasons("greet") == [f"image changed: {REGISTRY}:1 -> none"]


def test_the_same_image_under_another_name_is_no_reason_to_run_again(fake: FakeEngine, ran: Stages) -> None:
    fake.has({**ONE, "RepoTags": [f"{REGISTRY}:1", f"{REGISTRY}:latest"]})
    ran.pipeline(PIPELINE.replace(":1", ":latest"))
    assert ran.states() == {"greet": "reused"}
    assert not fake.told("run")


def test_an_image_that_is_gone_can_not_be_rebuilt(fake: FakeEngine, ran: Stages) -> None:
    fake.has(TWO)
    told = ran.tally("repro", code=17)
    assert "could not be rebuilt" in told.out
    assert f"`{REGISTRY}@{FIRST}` can't be pulled" in told.out
    assert f"`{REGISTRY}:1` is another image now" in told.out
    assert not fake.told("run")
    fake.has(ONE, where="registry")
    assert verdict(ran)["outcome"] == "identical"


def test_an_image_is_pulled_when_it_is_first_needed(fake: FakeEngine, bare: Stages) -> None:
    fake.has()
    fake.has(ONE, where="registry")
    assert f"pulling the image `{REGISTRY}:1` with podman" in bare.tally("run").err
    assert bare.repo.read("out.txt").startswith(b"one ")


def test_what_fails_before_the_command_names_stage_and_remedy(fake: FakeEngine, bare: Stages) -> None:
    fake.has()
    told = bare.tally("run", code=3).err
    assert (
        f"stage `greet` runs in a container: the image `{REGISTRY}:1` is not here, and can't be pulled"
        in told
    )
    assert not bare.runs()
    fake.says(broken="cannot set up namespace", here=[ONE])
    assert "`podman` doesn't work here: cannot set up namespace" in bare.tally("run", code=3).err
    bare.tally("config", "--local", "container.engine", "docker")
    os.environ["PATH"] = f"{fake.folder}:/bin"  # the sandbox puts it back
    fake.program.rename(fake.folder / "docker")
    assert "daemon doesn't answer: cannot set up namespace" in bare.tally("run", code=3).err


def test_a_container_that_can_not_be_started_is_told_from_a_command_that_fails(
    fake: FakeEngine, bare: Stages
) -> None:
    fake.says(unstartable=True)
    told = bare.tally("run", code=18).err
    assert f"exit code 125: its container could not be started from `{REGISTRY}:1`" in told
    fake.says(unstartable=False)
    bare.pipeline(PIPELINE.replace("> out.txt", "; exit 3"))
    assert "ended with exit code 3\n" in bare.tally("run", code=18).err
    (failed, _) = bare.runs()
    assert failed["exit_code"] == 3


@pytest.mark.parametrize("trace", ["strace", "enforce"])
def test_a_trace_that_ends_at_the_container_is_refused_before_anything_runs(
    fake: FakeEngine, bare: Stages, trace: str
) -> None:
    bare.pipeline(PIPELINE + f"    trace: {trace}\n")
    assert f"`trace: {trace}` can't look into" in bare.tally("run", code=3).err
    assert not fake.calls


def test_what_a_python_in_the_container_notes_is_heard(fake: FakeEngine, bare: Stages) -> None:
    bare.repo.write("secret.txt", "x")
    note = 'printf "1 R /project/secret.txt\\0" > "$TALLY_TRACE/77"; echo "$PYTHONPATH" > out.txt'
    cmd = json.dumps(note)
    body = f"cmd: {cmd}, outs: [out.txt], environment: {{image: '{REGISTRY}:1'}}"
    bare.pipeline(f"stages: {{go: {{{body}}}}}")
    bare.repo.git("add", "--all")
    fake.has({**ONE, "Config": {"Env": ["PYTHONPATH=/opt/own"]}})
    assert "`go` read `secret.txt`, which it doesn't declare" in bare.tally("run").out
    assert bare.receipt("go")["undeclared"] == ["secret.txt"]
    assert bare.repo.read("out.txt").endswith(b"/tracing/hook:/opt/own\n")
    (words,) = fake.told("run")
    assert any("target=/tally/hook,readonly" in mount for mount in pairs(words, "--mount"))


@pytest.mark.parametrize("name", ["--privileged", "x; rm -rf /", "X", "x@sha256:0a"])
def test_a_name_that_no_registry_could_have_is_refused_with_its_line(bare: Stages, name: str) -> None:
    bare.pipeline(f"stages:\n  s:\n    cmd: x\n    environment: {{image: {json.dumps(name)}}}\n")
    told = bare.tally("run", code=12).err
    assert "tally.yaml:4: stage `s`" in told
    assert "is not the name of an image" in told


def test_a_grant_for_a_command_is_none_for_the_same_command_in_another_image(
    fake: FakeEngine, ran: Stages, tmp_path: Path
) -> None:
    copy = ran.repo.clone(tmp_path / "copy")
    ran.tally("run", "--force", cwd=copy.path, code=19)
    assert f"(in the image {REGISTRY}:1)" in ran.tally("run", "--dry-run", "--force", cwd=copy.path).out
    ran.tally("run", "--force", "--trust", cwd=copy.path)
    copy.write("tally.yaml", PIPELINE.replace(":1", ":2"))
    ran.tally("run", "--force", cwd=copy.path, code=19)


def test_no_repository_chooses_the_engine(bare: Stages) -> None:
    told = bare.tally("config", "container.engine", "docker", code=12)
    assert "counts only from the user's own settings" in told.err
    assert (
        "must be one of podman, docker"
        in bare.tally("config", "--local", "container.engine", "/bin/sh", code=12).err
    )


@pytest.mark.slow
def test_explaining_names_the_image(fake: FakeEngine, ran: Stages) -> None:
    fake.has(TWO, {**ONE, "RepoTags": [], "RepoDigests": []})
    ran.tally("run")
    ran.repo.commit("Another image")
    (stage,) = verdict(ran, "HEAD~1", "--explain", "HEAD")["stages"]
    assert "`environment` explains it: image" in stage["reason"]
    assert f"image {REGISTRY}:1 sha256:6f6e" in ran.tally("diff", "HEAD~1", "HEAD").out
    runs = [run["run"] for run in ran.runs()]
    assert f"image {REGISTRY}:1 sha256:6f6e" in ran.tally("diff", runs[1], runs[0]).out


def _started(folder: Path) -> int:
    """The process that the pretended container holds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for place in folder.glob("tally-*"):
            text = place.read_text()
            if text:
                return int(text)
        time.sleep(0.02)
    raise AssertionError("no container was started")


def _gone(process: int) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_no_container_outlives_the_run(fake: FakeEngine, bare: Stages, how: signal.Signals) -> None:
    bare.pipeline(PIPELINE.replace("cmd: echo", "cmd: sleep 1000; echo"))
    tally = subprocess.Popen(
        [sys.executable, "-m", "tallystick", "run"], cwd=bare.repo.path, stderr=subprocess.DEVNULL
    )
    try:
        inside = _started(fake.folder)
        tally.send_signal(how)
        tally.wait(60)
        assert _gone(inside)
    finally:
        tally.kill()
        tally.wait()


@pytest.mark.slow
def test_a_repetition_that_takes_too_long_is_ended_with_its_container(fake: FakeEngine, bare: Stages) -> None:
    bare.repo.write("pause", "0")
    bare.pipeline(
        PIPELINE.replace("cmd: echo", 'cmd: sleep "$PAUSE"; echo').replace("FLAVOUR]", "FLAVOUR, PAUSE]")
    )
    os.environ["PAUSE"] = "0"
    bare.tally("run")
    bare.repo.commit()
    text = json.loads(bare.repo.read("receipts/greet.json"))
    assert text["variables"]["PAUSE"] == "0"
    for place in fake.folder.glob("tally-*"):
        place.unlink()
    fake.program.write_text(
        fake.program.read_text().replace(
            'elif words[0] == "run":', 'elif words[0] == "run":\n    words[-1] = "sleep 1000"'
        )
    )
    told = bare.tally("repro", "--timeout", "1", code=None)
    assert "did not end within 1 s" in told.out + told.err
    assert _gone(_started(fake.folder))

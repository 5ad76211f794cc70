"""Forty secrets are printed by stages that succeed and fail; none is found in anything that is kept (K3)."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.flows.conftest import Stages
from tests.planted import PLANTED, VARIABLES

# What is printed lies outside of the project: what a program is made of is the user's to keep clean.
TALK = """\
import os, sys
text = open(os.environ["PLANTED_FILE"], "rb").read()
for start in range(0, len(text), 1013):
    sys.stdout.buffer.write(text[start:start + 1013])
    sys.stdout.buffer.flush()
if "fail" in sys.argv:
    sys.exit(text.decode())
open("out.txt", "w").write("nothing")
"""

PIPELINE = """\
stages:
  good: {cmd: python talk.py, deps: [talk.py], outs: [out.txt]}
  bad: {cmd: python talk.py fail, deps: [talk.py]}
"""


@pytest.fixture
def talkative(bare: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stages:
    bare.repo.write("talk.py", TALK)
    bare.pipeline(PIPELINE)
    bare.repo.commit("Stages that tell everything")
    file = tmp_path / "planted.txt"
    file.write_text("".join(f"{line}\n" for line, _ in PLANTED), "utf-8")
    monkeypatch.setenv("PLANTED_FILE", str(file))
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return bare


def everything(stages: Stages) -> bytes:
    """All that lies in the project's folder, git's objects unpacked, and the runs' outputs."""
    found = [path.read_bytes() for path in stages.repo.path.rglob("*") if path.is_file()]
    batch = ["git", "cat-file", "--batch-all-objects", "--batch", "--unordered"]
    found.append(subprocess.run(batch, cwd=stages.repo.path, capture_output=True, check=True).stdout)
    for run in stages.runs():
        name = run["run"].removeprefix("blake3:")
        found += [
            stages.tally("show", *words, name).out.encode() for words in ((), ("--output",), ("--json",))
        ]
    return b"\n".join(found)


def test_no_secret_that_a_stage_prints_is_kept_anywhere(talkative: Stages) -> None:
    printed = talkative.tally("run", "good").out
    failed = talkative.tally("run", "bad", code=18)
    as_json = talkative.tally("run", "--json", "bad", code=18)
    kept = everything(talkative)
    for _, secret in PLANTED:
        assert secret in printed, "the screen shows what the command says"
        assert secret.encode() not in kept
        assert secret not in failed.err.partition("error:")[2]
        assert secret not in as_json.err.partition('"error"')[2]
    assert kept.count(b"[secret]") > 80


@pytest.mark.parametrize(
    ("stage", "place"),
    [
        ("cmd: python talk.py --password hunter22", "its command holds a password"),
        ("cmd: [python, talk.py, 'https://ana:hunter22@host/']", "its command holds a password in a URL"),
        ("cmd: python talk.py correct.horse.battery", "its command holds the value of a secret environment"),
        (
            "cmd: python talk.py\n    params: [{params.json: [db.password]}]",
            "its parameter `db.password` holds",
        ),
        (
            "cmd: python talk.py\n    params: [{params.json: [urls]}]",
            "its parameter `urls` holds a signature",
        ),
        (
            "cmd: python talk.py\n    variables: [DATABASE_URL]",
            "the variable `DATABASE_URL` holds a password",
        ),
    ],
)
def test_a_secret_that_a_receipt_would_hold_stops_the_stage_before_it_runs(
    talkative: Stages, stage: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://ana:hunter22@host/db")
    monkeypatch.setenv("DEPLOY_PASSWORD", "correct.horse.battery")
    params = {"db": {"password": "hunter22"}, "urls": ["x", "https://host/x?sig=hunter22"]}
    talkative.repo.write("params.json", json.dumps(params))
    talkative.pipeline(f"stages:\n  good:\n    {stage}\n    outs: [out.txt]\n")
    refused = talkative.tally("run", code=3)
    assert place in refused.err
    assert "hunter22" not in refused.err.partition("error:")[2]
    assert "correct.horse" not in refused.err.partition("error:")[2]
    assert talkative.runs() == []
    assert not (talkative.repo.path / "out.txt").exists()


def test_a_secret_on_the_command_line_is_not_written_into_tally_yaml(talkative: Stages) -> None:
    before = talkative.repo.read("tally.yaml")
    talkative.tally("run", "-n", "new", "--", "python", "talk.py", "--api-key=hunter22", code=3)
    talkative.tally("run", "-S", "db.password=hunter22", "good", code=3)
    assert talkative.repo.read("tally.yaml") == before
    assert not (talkative.repo.path / "params.yaml").exists()


def test_an_error_that_names_a_command_hides_the_secret_in_it(talkative: Stages) -> None:
    for words in ((), ("--json",)):
        refused = talkative.tally("show", *words, "https://ana:hunter22@host/x", code=3)
        assert "hunter22" not in refused.err
        assert "[secret]" in refused.err

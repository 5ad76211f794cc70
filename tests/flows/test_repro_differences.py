"""`tally repro` tells differences in the terms of what was made, and judges them by the policy."""

from typing import Any

import pytest

from tests.flows.conftest import Stages

MIXED = """\
import json, os, random, struct
keys = [f"key{n:02}" for n in range(40)]
random.shuffle(keys)
json.dump({key: len(key) for key in keys}, open("keys.json", "w"))
json.dump({key: int(key[3:]) for key in keys}, open("scores.json", "w"))
open("rows.csv", "w").write("name,value\\n" + "".join(f"{key},{key[3:]}\\n" for key in keys))
os.makedirs("parts", exist_ok=True)
for n in range(60):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
    numbers = struct.pack("<2f", n + 1, random.random() / 1000)
    start = b"\\x93NUMPY\\1\\0" + struct.pack("<H", len(header))
    open(f"parts/{n}.npy", "wb").write(start + header + numbers)
"""

STAGES = """\
stages:
  mixed:
    cmd: python mixed.py
    deps: [mixed.py]
    outs: [keys.json, rows.csv, parts]
    metrics: [scores.json]
"""


@pytest.fixture
def mixed(bare: Stages) -> Stages:
    bare.repo.write("mixed.py", MIXED)
    bare.pipeline(STAGES)
    bare.tally("run")
    bare.repo.commit()
    return bare


def judged(stages: Stages, *args: str, code: int) -> dict[str, dict[str, Any]]:
    ran = stages.tally("repro", "--no-rebuild", "--json", *args, code=code)
    return {each["path"]: each for each in ran.json()["verdict"]["stages"][0]["comparisons"]}


def test_the_same_in_another_order_is_said_to_be_that_and_the_policy_judges(mixed: Stages) -> None:
    found = judged(mixed, code=1)
    assert found["scores.json"]["outcome"] == "identical"
    for path, kind in (("keys.json", "keys"), ("rows.csv", "table")):
        each = found[path]
        assert (each["outcome"], each["kind"], each["unordered"]) == ("different", kind, True)
    parts = found["parts"]
    assert (parts["kind"], parts["unordered"], len(parts["differences"])) == ("folder", False, 51)
    assert parts["differences"][0]["file"] == "0.npy"
    assert parts["differences"][-1]["actual"] == "10 more differences"
    assert 0 < parts["differences"][-1]["absolute"] < 0.001
    bounds = ("keys.json: {order: any}", "rows.csv: {order: any}", "parts: 0.001")
    mixed.pipeline(f"{STAGES}    tolerance:\n" + "".join(f"      {each}\n" for each in bounds))
    mixed.repo.commit("A policy")
    found = judged(mixed, code=0)
    assert {path: each["outcome"] for path, each in found.items() if path != "scores.json"} == dict.fromkeys(
        ("keys.json", "rows.csv", "parts"), "within tolerance"
    )


def test_what_was_measured_is_a_policy_for_each_file_of_a_folder(mixed: Stages) -> None:
    ran = mixed.tally("repro", "--no-rebuild", "-n", "2", "--write-tolerance", code=1)
    assert "keys.json: different, but for the order the same" in ran.out
    assert "41 more lines like these: `--html` and `--json` have them" in ran.out
    text = mixed.repo.read("tally.yaml").decode()
    assert text.startswith(STAGES)
    assert "parts/0.npy: {array: {measured: {spread: " in text
    assert "parts: {measured: {spread: " in text

"""The receipt: one canonical form, whose digest is its id, and no other reading of it."""

import json
import random
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.records.provenance import (
    Code,
    EnvironmentRef,
    Feature,
    Hardware,
    Host,
    LockFile,
    Tracker,
)
from tallystick.records.receipt import Artifact, Receipt, identity, parse, render
from tallystick.records.tolerance import Tolerance
from tests.records.strategies import receipts, relaxed

DIGEST = Digest.of(b"x")
RECEIPT = Receipt(
    stage="sub/dir:train",
    cmd="python train.py",
    wdir=".",
    status="succeeded",
    exit_code=0,
    started="2026-01-31T12:00:00Z",
    seconds=12.5,
    code=Code(
        commit="a" * 40, tree="b" * 40, dirty=True, left_out=(".env",), submodules={"vendor/lib": "c" * 40}
    ),
    environment=EnvironmentRef(
        DIGEST,
        "3.11.7",
        "linux-x86_64",
        DIGEST,
        settings={"OMP_NUM_THREADS": "1"},
        locks=(LockFile("uv.lock", DIGEST),),
        drift=("numpy: `uv.lock` has 1.26.4, installed is 2.0.0",),
    ),
    hardware=Hardware("AMD EPYC", 2, 1 << 34, flags=("avx2", "fma")),
    tool="tally 0.1",
    author="Ana <ana@example.org>",
    deps=(Artifact("data/digits", "tree", DIGEST, 1), Artifact("run.sh", "file", DIGEST, 2, executable=True)),
    params={"params.yaml": {"train.lr": 0.1, "train.layers": [64, 32]}},
    seed=42,
    variables={"OMP_NUM_THREADS": "1", "UNSET": None},
    outs=(Artifact("model.npz", "file", DIGEST, 3),),
    metrics={"metrics.json": {"accuracy": 0.975}},
    produced_by={"data/digits": str(DIGEST)},
    log=DIGEST,
    tolerance={"metrics.json": {"accuracy": Tolerance(absolute=0.001)}},
    cause="its command ended with exit code 1",
    tail=("Traceback", "ValueError"),
    features=(Feature("user_stats", "v3", DIGEST),),
    undeclared_writes=("tmp/cache",),
    trace="python",
    host=Host("Linux", "6.1.0", "glibc 2.36", container=True),
    trackers=(Tracker("mlflow", "0123abcd", "http://localhost:5000"),),
    series=DIGEST,
    isolated=True,
)
TEXT = render(RECEIPT)
PLAIN = render(replace(RECEIPT, deps=(RECEIPT.deps[0], Artifact("run.sh", "file", DIGEST, 2))))
"""As almost all are: without programs among its deps."""


@relaxed
@given(receipts)
def test_a_receipt_survives_a_round_trip(receipt: Receipt) -> None:
    data = render(receipt)
    assert parse(data) == receipt
    assert render(parse(data)) == data
    assert identity(receipt) == Digest.of(data)


@relaxed
@given(receipts, st.randoms())
def test_another_layout_of_the_same_receipt_has_the_same_id(receipt: Receipt, chance: random.Random) -> None:
    items = list(json.loads(render(receipt)).items())
    chance.shuffle(items)
    assert identity(parse(json.dumps(dict(items)))) == identity(receipt)


def test_a_receipt_is_sorted_json_with_everything_in_it() -> None:
    values = json.loads(TEXT)
    assert list(values) == sorted(values)
    assert json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n" == TEXT
    assert values["tally"] == 1
    assert values["deps"][0] == {"path": "data/digits", "kind": "tree", "digest": str(DIGEST), "size": 1}
    assert values["deps"][1]["executable"] is True
    assert values["tolerance"] == {"metrics.json": {"accuracy": {"absolute": 0.001}}}


def test_whole_seconds_and_their_float_are_one_receipt() -> None:
    values = json.loads(TEXT)
    assert render(parse(json.dumps(values | {"seconds": 3}))) == render(
        parse(json.dumps(values | {"seconds": 3.0}))
    )


NEWER = ("cause", "tail", "features", "undeclared_writes", "trace", "host", "trackers", "series", "isolated")


def test_a_receipt_without_the_newer_fields_is_read() -> None:
    values = json.loads(TEXT)
    for key in NEWER:
        del values[key]
    for key in ("settings", "locks", "drift"):
        del values["environment"][key]
    del values["code"]["submodules"], values["hardware"]["flags"]
    found = parse(json.dumps(values))
    assert (found.trace, found.host, found.tail, found.isolated) == ("none", None, (), False)
    assert (found.code.submodules, found.environment.locks, found.hardware.flags) == ({}, (), ())


MISTAKES: dict[str, tuple[list[str | int], Any, str]] = {
    "version": (["tally"], 2, "later version"),
    "unknown": (["extra"], 1, "unknown key"),
    "stage": (["stage"], "../x:train", "unsafe"),
    "stage name": (["stage"], "a/.git", "belongs to git"),
    "stage type": (["stage"], 1, "must be a text"),
    "cmd": (["cmd"], {"a": 1}, "must be a text"),
    "cmd word": (["cmd"], ["a", 1], "plain texts"),
    "wdir": (["wdir"], "/tmp", "absolute"),
    "status": (["status"], "fine", "one of"),
    "exit code": (["exit_code"], "0", "whole number"),
    "started": (["started"], "yesterday", "time in UTC"),
    "started zone": (["started"], "2026-01-31T12:00:00+02:00", "time in UTC"),
    "seconds": (["seconds"], -1, "0 or more"),
    "seconds huge": (["seconds"], 10**400, "0 or more"),
    "commit": (["code", "commit"], "HEAD", "git object"),
    "tree": (["code", "tree"], "--upload-pack=evil", "git object"),
    "dirty": (["code", "dirty"], 1, "true or false"),
    "code": (["code"], [], "must be a mapping"),
    "environment": (["environment", "digest"], "sha256:00", "algorithm"),
    "python": (["environment", "python"], "3\x1b[31m", "control"),
    "cores": (["hardware", "cores"], 1.5, "whole number"),
    "gpus": (["hardware", "gpus"], "A100", "must be a list"),
    "author": (["author"], "Ana\nstatus: succeeded", "control"),
    "author turned": (["author"], "Ana\u202egnp", "control"),
    "dep path": (["deps", 0, "path"], "../../.ssh/id_rsa", "unsafe"),
    "dep kind": (["deps", 0, "kind"], "link", "one of"),
    "dep digest": (["deps", 0, "digest"], "blake3:00", "digest"),
    "dep size": (["deps", 0, "size"], True, "whole number"),
    "dep key": (["deps", 0, "mode"], 1, "unknown key"),
    "dep": (["deps", 0], "data", "must hold mappings"),
    "dep twice": (["deps", 0, "path"], "run.sh", "twice"),
    "outs": (["outs"], {}, "must be a list"),
    "out path": (["outs", 0, "path"], ".git/hooks/pre-commit", "belongs to git"),
    "changed": (["changed"], ["/x"], "absolute"),
    "undeclared": (["undeclared"], ["a/../b"], "unsafe"),
    "params file": (["params"], {"../p.yaml": {}}, "unsafe"),
    "params": (["params"], {"p.yaml": 1}, "must be a mapping"),
    "seed": (["seed"], 1.5, "whole number"),
    "variables": (["variables"], {"A": 1}, "must be a text"),
    "metric": (["metrics"], {"m.json": {"a": "1"}}, "not a number"),
    "metric flag": (["metrics"], {"m.json": {"a": True}}, "not a number"),
    "produced by": (["produced_by"], {"data": "latest"}, "digest"),
    "log": (["log"], "blake3:" + "g" * 64, "digest"),
    "submodule": (["code", "submodules"], {"lib": "main"}, "git object"),
    "submodule path": (["code", "submodules"], {"../lib": "a" * 40}, "unsafe"),
    "setting": (["environment", "settings"], {"threads": 2}, "must be a text"),
    "lock file": (["environment", "locks"], [{"path": "/uv.lock", "digest": str(DIGEST)}], "absolute"),
    "drift": (["environment", "drift"], "numpy", "must be a list"),
    "cause": (["cause"], "a\nb", "control"),
    "tail": (["tail"], ["x"] * 21, "more than 20"),
    "tail line": (["tail"], ["\x1b[2J"], "plain texts"),
    "feature": (["features"], [{"view": "a", "version": "v1"}], "`digest` is missing"),
    "undeclared write": (["undeclared_writes"], ["../x"], "unsafe"),
    "trace": (["trace"], "dtrace", "one of"),
    "host": (["host"], {"name": "ana-laptop"}, "unknown key"),
    "tracker": (["trackers", 0, "kind"], "other", "one of"),
    "series": (["series"], "blake3:00", "digest"),
    "isolated": (["isolated"], 1, "true or false"),
    "tolerance": (["tolerance"], {"m.json": {"a": -1}}, "must be a number"),
}


@pytest.mark.parametrize(("place", "value", "complaint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_wrong_field_is_refused(place: list[str | int], value: Any, complaint: str) -> None:
    values = json.loads(TEXT)
    inner = values
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    with pytest.raises(BadRecord, match=complaint) as caught:
        parse(json.dumps(values), "receipts/train.json")
    assert caught.value.source == "receipts/train.json"


@pytest.mark.parametrize(
    "key", ["tally", "stage", "cmd", "status", "started", "code", "environment", "hardware", "author"]
)
def test_a_missing_field_is_named(key: str) -> None:
    values = json.loads(TEXT)
    del values[key]
    with pytest.raises(BadRecord, match=key):
        parse(json.dumps(values))


@pytest.mark.parametrize("share", range(0, 100, 3))
def test_a_truncated_receipt_is_refused_wherever_it_ends(share: int) -> None:
    with pytest.raises(BadRecord):
        parse(TEXT[: len(TEXT) * share // 100])


@relaxed
@given(st.integers(0, len(TEXT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_the_id(place: int, mask: int) -> None:
    data = bytearray(TEXT)
    data[place] ^= mask
    with suppress(BadRecord):
        found = parse(bytes(data))
        assert found == RECEIPT or identity(found) != identity(RECEIPT)


def outcome(data: bytes) -> Receipt | str:
    """What a text is read as, or what is said of it."""
    try:
        return parse(data)
    except BadRecord as error:
        return error.message


@relaxed
@given(receipts, st.integers(0, 1 << 16), st.binary(max_size=3), st.integers(0, 3))
def test_a_receipt_laid_out_as_tally_does_is_read_like_any_other(
    receipt: Receipt, place: int, new: bytes, cut: int
) -> None:
    data = render(receipt)
    place %= len(data)
    for text in (data, data[:place] + new + data[place + cut :]):
        assert outcome(text) == outcome(b" " + text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('  "seed": 42,', '  "seed": 42,\n  "seed": 42,'),
        ('  "seed": 42,', '  "seed": 42,\n  "shade": 42,'),
        ('  "seed": 42,', '  "seed": ,'),
        ('  "seed": 42,', '  "seed": 42 43,'),
        ('  "seed": 42,', '  "seed" : 42,'),
        ('  "seed": 42,', '  "s\\u0065ed": 42,'),
        ('  "seed": 42,', ""),
        ('  "seconds": 12.5', '  "seconds": NaN'),
        ('  "tally": 1', '  "tally": 2'),
        ('      "path": "run.sh"', '      "path": "run.sh",\n      "path": "run.sh"'),
        ('      "path": "run.sh"', '      "path": "data/digits"'),
        ('      "path": "run.sh"', '      "path": "../run.sh"'),
        ('      "size": 2', '      "size": 2.0'),
        ('      "size": 2', '      "size": ' + "[" * 5000 + "]" * 5000),
        ('  "params": {', '  "params": {"p.json": ' + '{"a": ' * 70 + "1" + "}" * 70 + ","),
        ('  "metrics": {', '  "metrics": {},\n  "more": {'),
    ],
)
def test_a_field_edited_by_hand_is_read_like_any_other(old: str, new: str) -> None:
    text = PLAIN.replace(old.encode(), new.encode(), 1)
    assert text != PLAIN
    assert outcome(text) == outcome(b" " + text)


def test_what_receipts_share_is_read_once() -> None:
    other = PLAIN.replace(b'"seconds": 12.5', b'"seconds": 13.5')
    assert parse(PLAIN).environment is parse(other).environment

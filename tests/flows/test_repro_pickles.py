"""`tally repro --unpickle`: what pickles hold is compared, with the user's leave and within walls."""

import io
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from tallystick.compare.difference import Found, compare_files
from tallystick.errors import BadRecord
from tallystick.landlock import version
from tallystick.project import open_project
from tallystick.records.tolerance import EVERY, Tolerance
from tallystick.reproduction.confinement import Limits
from tallystick.reproduction.isolation import Surrounding
from tallystick.reproduction.unpickling import Unpickler
from tallystick.sandbox import bubblewrap, namespaces
from tallystick.sandbox.room import Room, open_room
from tests.flows.conftest import Stages
from tests.sandbox import Repo

TRAIN = """\
import os, pickle
class Model:
    def __init__(self):
        self.weights = {"layer": [0.5, 0.25 + int.from_bytes(os.urandom(2), "big") / 1e6]}
pickle.dump({"model": Model(), "epoch": 3}, open("model.pkl", "wb"))
"""

PIPELINE = """\
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    outs: [model.pkl]
"""

needs_walls = pytest.mark.skipif(
    not bubblewrap.walls(Room()).before, reason="bubblewrap doesn't work on this machine"
)


class Orders:
    """A pickle that does something as it is read."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


@pytest.fixture
def reader(project: Repo, sandbox: Path) -> Unpickler:
    """Return what reads pickles with the Python of these tests."""
    return reader_of(project, sandbox)


def reader_of(repo: Repo, settings: Path, limits: Limits | None = None) -> Unpickler:
    project = open_project(repo.path, settings)
    around = Surrounding(dict(os.environ), "", "", None, interpreter=sys.executable)
    return Unpickler(project, around, limits or Limits())


def between(reader: Unpickler, old: object, new: object, **bounds: float) -> Found:
    """Compare two values, as pickles of them."""
    policy = {name or EVERY: Tolerance(absolute=bound) for name, bound in bounds.items()}
    return compare_files("m.pkl", *(io.BytesIO(pickle.dumps(each)) for each in (old, new)), policy, reader)


@needs_walls
def test_values_are_named_by_where_they_lie_and_judged_by_the_tolerance(reader: Unpickler) -> None:
    old = {"net": {"bias": [1.0, 2.0], "kind": "small"}, "steps": 7}
    new = {"net": {"bias": [1.0, 2.5], "kind": "large"}, "steps": 7}
    found = between(reader, old, new, **{"net.bias[1]": 0.5})
    told = {each.name: (each.expected, each.actual, each.within) for each in found.differences}
    assert told == {"net.bias[1]": (2.0, 2.5, True), "net.kind": ("'small'", "'large'", False)}
    assert found.kind == "arrays"
    assert any("without a network" in fact for fact in reader.facts)


@needs_walls
def test_what_a_pickle_does_stays_within_the_walls(reader: Unpickler, tmp_path: Path, sandbox: Path) -> None:
    (sandbox / "secret").touch()
    words = [
        f"echo x > {tmp_path}/made; exit 7",
        f"cat {sandbox}/secret || exit 7",
        "test $(grep -c : /proc/net/dev) -gt 1 || exit 7",
        "echo x > /etc/tally-test || exit 7",
    ]
    in_vain = 7 << 8
    found = between(reader, ["a", *map(Orders, words)], ["b", *[in_vain] * len(words)])
    assert [each.name for each in found.differences] == ["[0]"]
    assert not (tmp_path / "made").exists()


@pytest.mark.skipif(version() == 0, reason="this kernel has no Landlock")
def test_landlock_stands_in_for_bubblewrap(
    reader: Unpickler, tmp_path: Path, sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "walls", lambda _room: open_room("there is none"))
    (sandbox / "secret").touch()
    words = [f"echo x > {tmp_path}/made || exit 7", f"cat {sandbox}/secret || exit 7"]
    found = between(reader, ["a", *map(Orders, words)], ["b", 7 << 8, 7 << 8])
    assert [each.name for each in found.differences] == ["[0]"]
    assert not (tmp_path / "made").exists()


@needs_walls
def test_a_class_that_is_not_here_keeps_what_it_was_given(reader: Unpickler) -> None:
    text = b"cgone.module\nNet\n)\x81}(X\x06\x00\x00\x00weightG?\xe0\x00\x00\x00\x00\x00\x00ub."
    files = [io.BytesIO(b"\x80\x02" + text), io.BytesIO(b"\x80\x02" + text.replace(b"?\xe0", b"?\xf0"))]
    found = compare_files("m.pkl", *files, {}, reader)
    assert [(each.name, each.expected, each.actual) for each in found.differences] == [("weight", 0.5, 1.0)]


@needs_walls
def test_a_pickle_that_never_ends_is_ended_and_compared_as_bytes(project: Repo, sandbox: Path) -> None:
    reader = reader_of(project, sandbox, Limits(timeout=1))
    found = between(reader, Orders("sleep 60"), Orders("sleep 61"))
    assert found.kind in ("text", "bytes")
    assert "did not end within 1 s" in str(found.differences[0].actual)


@needs_walls
def test_what_is_no_pickle_is_compared_as_bytes_and_said_to_be(reader: Unpickler) -> None:
    found = compare_files("m.pkl", io.BytesIO(b"\x80\x04\xff"), io.BytesIO(b"\x80\x04\xfe"), {}, reader)
    assert "what it holds can't be read: UnpicklingError" in str(found.differences[0].actual)


def test_nothing_is_read_where_there_are_no_walls(
    reader: Unpickler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(namespaces, "walls", lambda _room: open_room("there are none"))
    made = tmp_path / "made"
    with pytest.raises(BadRecord, match="only read within walls; not isolated: there are none"):
        reader(io.BytesIO(pickle.dumps(Orders(f"touch {made}"))), ".pkl")
    assert not made.exists()


@needs_walls
def test_what_only_looks_alike_is_different(reader: Unpickler) -> None:
    found = between(reader, [None, (1, 2), {3}, True], ["None", [1, 2], frozenset({3}), 1])
    assert [each.name for each in found.differences] == ["[3]", "[0]", "[1] (length)", "[2] (type)"]


@pytest.fixture
def pickling(bare: Stages) -> Stages:
    """Return a project whose stage makes another pickle each time."""
    bare.repo.write("train.py", TRAIN)
    bare.pipeline(PIPELINE)
    bare.tally("run")
    bare.repo.commit()
    return bare


def told(stages: Stages, *args: str, code: int = 1) -> Any:
    """Repeat with the Python at hand, and return the differences of the only out."""
    verdict = stages.tally("repro", "--json", "--no-rebuild", *args, code=code).json()["verdict"]
    (out,) = verdict["stages"][0]["comparisons"]
    return out["differences"]


@needs_walls
def test_pickles_are_looked_into_when_asked_for(pickling: Stages) -> None:
    assert "with `--unpickle` that is done" in told(pickling)[0]["actual"]
    assert [each["name"] for each in told(pickling, "--unpickle")] == ["model.weights.layer[1]"]


@needs_walls
def test_only_the_users_own_settings_allow_it_for_good(pickling: Stages) -> None:
    refused = pickling.tally("config", "repro.unpickle", "true", code=12)
    assert "counts only from the user's own settings" in refused.err
    pickling.tally("config", "--local", "repro.unpickle", "true")
    assert [each["name"] for each in told(pickling)] == ["model.weights.layer[1]"]


@needs_walls
def test_a_tolerance_covers_what_a_pickle_holds(pickling: Stages) -> None:
    pickling.tally("repro", "-n", "2", "--write-tolerance", "--unpickle", "--no-rebuild", code=1)
    text = pickling.repo.read("tally.yaml").decode()
    assert "model.weights.layer[1]" in text
    pickling.repo.write("tally.yaml", text.replace("spread: 0.0", "spread: 1.0"))
    pickling.repo.commit()
    assert told(pickling, "--unpickle", code=0)[0]["within"]

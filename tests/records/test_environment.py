"""The environment's lock: equal for equal packages, and telling where two differ."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.records.environment import Lock, Package, compare, identity, normalised, parse, render
from tests.records.strategies import locks, relaxed

RECORD = Digest.of(b"installed files")
NUMPY = Package("numpy", "1.26.4", record=RECORD, hashes=("sha256:" + "0" * 64,))
MINE = Package("mine", "0.1.0", "editable", "file:.")
LOCK = Lock("cpython", "3.11.7", (MINE, NUMPY))


@relaxed
@given(locks)
def test_a_lock_survives_a_round_trip(lock: Lock) -> None:
    data = render(lock)
    assert parse(data) == lock
    assert render(parse(data)) == data
    assert identity(lock) == Digest.of(data)
    assert compare(lock, parse(data)) == ()


def test_the_order_in_which_packages_were_found_does_not_matter() -> None:
    assert identity(LOCK) == identity(replace(LOCK, packages=(NUMPY, MINE)))
    assert parse(render(replace(LOCK, packages=(NUMPY, MINE)))).packages == (MINE, NUMPY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replace(LOCK, python="3.12.1"), ("python 3.11.7 -> 3.12.1",)),
        (replace(LOCK, implementation="pypy"), ("implementation cpython -> pypy",)),
        (replace(LOCK, packages=(MINE, replace(NUMPY, version="2.0.0"))), ("numpy 1.26.4 -> 2.0.0",)),
        (replace(LOCK, packages=(MINE,)), ("removed numpy 1.26.4",)),
        (replace(LOCK, packages=(MINE, NUMPY, Package("x", "1.0"))), ("added x 1.0",)),
        (
            replace(LOCK, packages=(MINE, replace(NUMPY, record=Digest.of(b"y")))),
            ("numpy 1.26.4: other files under the same version",),
        ),
        (
            replace(LOCK, packages=(MINE, replace(NUMPY, source="url", url="https://h/n.whl"))),
            ("numpy 1.26.4 from index -> https://h/n.whl",),
        ),
        (replace(LOCK, packages=(MINE, replace(NUMPY, hashes=()))), ()),
        (replace(LOCK, packages=(MINE, replace(NUMPY, record=None))), ()),
        (replace(LOCK, packages=(MINE, replace(NUMPY, name="NumPy"))), ()),
    ],
)
def test_every_change_that_matters_is_told(change: Lock, said: tuple[str, ...]) -> None:
    assert compare(LOCK, change) == said


def test_names_are_compared_as_an_index_does() -> None:
    assert normalised("Ruamel.YAML_clib") == "ruamel-yaml-clib"


def wrong(**fields: Any) -> bytes:
    values = json.loads(render(LOCK))
    values["packages"][0] |= fields
    return json.dumps(values).encode()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (wrong(name="--index-url=https://evil"), "not a valid name"),
        (wrong(name="a; import os"), "not a valid name"),
        (wrong(version="1.0 --pre"), "not a valid version"),
        (wrong(version="1.0\n-e ."), "control"),
        (wrong(source="ftp"), "one of"),
        (wrong(source="index"), "URL belongs"),
        (wrong(url=None), "URL belongs"),
        (wrong(url="https://u:secret@host/x"), "password"),
        (wrong(url="https://h/x\n--pre"), "control"),
        (wrong(record="x"), "not a digest"),
        (wrong(hashes=["--hash=x"]), "not a hash"),
        (wrong(hashes="sha256:0"), "must be a list"),
        (wrong(name="numpy"), "stands twice"),
        (wrong(marker="x"), "unknown key"),
        (b"{}", "`tally: 1` is missing"),
        (b'{"tally": 2}', "later version"),
        (b'{"tally": 1}', "`implementation` is missing"),
        (b"[]", "mapping is wanted"),
    ],
)
def test_a_broken_lock_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(BadRecord, match=complaint):
        parse(data)

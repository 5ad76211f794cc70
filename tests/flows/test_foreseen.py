"""`tally run`: all stages are looked at first, and again once one has run that wrote what others read."""

import pytest

from tests.flows.conftest import Stages

SECRETLY = """\
stages:
  first: {cmd: "cp in.txt shared.txt; cp in.txt first.txt", deps: [in.txt], outs: [first.txt], trace: none}
  second:
    cmd: cp shared.txt second.txt
    deps: [shared.txt]
    params: [rate]
    outs: [second.txt]
    trace: none
  third: {cmd: "echo 3 > third.txt", outs: [third.txt], trace: none}
"""


@pytest.fixture
def secretly(bare: Stages) -> Stages:
    """Return a project in which a stage writes what another one reads, and says nothing of it."""
    bare.pipeline(SECRETLY)
    for name in ("in.txt", "shared.txt"):
        bare.repo.write(name, "1\n")
    bare.repo.write("params.yaml", "rate: 1\n")
    bare.repo.commit("Describe the stages")
    assert set(bare.states().values()) == {"succeeded"}
    assert set(bare.states().values()) == {"up to date"}
    return bare


def test_what_a_stage_writes_is_seen_by_one_that_was_looked_at_before(secretly: Stages) -> None:
    secretly.repo.write("in.txt", "2\n")
    assert secretly.states() == {"first": "succeeded", "second": "succeeded", "third": "up to date"}
    assert secretly.repo.read("second.txt") == b"2\n"


def test_parameters_that_a_stage_writes_are_seen_by_the_next(secretly: Stages) -> None:
    secretly.pipeline(SECRETLY.replace("cp in.txt shared.txt", "echo 'rate: 2' > params.yaml"))
    assert secretly.states() == {"first": "succeeded", "second": "succeeded", "third": "up to date"}
    assert secretly.receipt("second")["params"] == {"params.yaml": {"rate": 2}}

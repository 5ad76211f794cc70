"""What counts as read by a stage."""

from typing import Any

import pytest

from tallystick.runs import gathering
from tallystick.runs.features import features_now
from tests.sandbox import Repo, Tally

STAGE = "stages:\n  upper:\n    cmd: tr a-z A-Z < in > out\n    deps: [in]\n    outs: [out]\n"


def test_a_dep_that_changes_behind_the_look_that_counts_is_told_and_makes_the_stage_stale(
    project: Repo, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("tally.yaml", STAGE)
    project.write("in", "one")
    project.commit()

    def meanwhile(*args: Any) -> Any:
        project.write("in", "two")
        return features_now(*args)

    with monkeypatch.context() as patched:
        patched.setattr(gathering, "features_now", meanwhile)
        ran = tally("run", "--trust")
    assert "`in` changed while `upper` ran" in ran.out + ran.err
    assert "dep `in` changed" in tally("status", code=None).out
    assert "succeeded" in tally("run", "--trust").out
    assert "1 stage up to date" in tally("status").out

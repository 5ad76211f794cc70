"""What makes a stage out of date, and what does not."""

from tests.sandbox import Repo, Tally

STAGE = """\
stages:
  train:
    cmd: cp params.yaml out.txt
    params: [train]
    outs: [out.txt]
"""
PARAMS = """\
train:
  hidden: [768, 512]
  layers: [{size: 1}, {size: 2}]
  rate: 0.1
"""


def test_lists_among_the_params_that_did_not_change_make_nothing_stale(project: Repo, tally: Tally) -> None:
    project.write("tally.yaml", STAGE)
    project.write("params.yaml", PARAMS)
    tally("run")
    assert "up to date" in tally("run").out


def test_a_change_within_a_list_of_params_is_one(project: Repo, tally: Tally) -> None:
    project.write("tally.yaml", STAGE)
    project.write("params.yaml", PARAMS)
    tally("run")
    project.write("params.yaml", PARAMS.replace("size: 2", "size: 2.0"))
    assert "train.layers" in tally("run", "--dry-run").out

"""Templates where it counts what they grow to: the grant, and the pipelines of a commit."""

from pathlib import Path

from tallystick.runs.pipelines import load, load_at
from tests.project.house import opened
from tests.sandbox import Repo, Tally

PIPELINE = """\
stages:
  make:
    cmd: echo ${train.rate} > out
    outs: [out]
    trace: none
"""


def test_what_is_allowed_is_the_command_that_a_template_grows_to(
    project: Repo, tally: Tally, tmp_path: Path
) -> None:
    project.write("tally.yaml", PIPELINE)
    project.write("params.yaml", "train: {rate: 1}\n")
    project.commit()
    clone = project.clone(tmp_path / "clone")
    tally("run", cwd=clone.path, code=19)
    tally("run", "--trust", cwd=clone.path)
    clone.write("params.yaml", "train: {rate: 1; touch pwned}\n")
    tally("run", cwd=clone.path, code=19)
    assert not (clone.path / "pwned").exists()
    assert clone.read("out") == b"1\n"


def test_a_commits_templates_take_the_params_of_that_commit(project: Repo) -> None:
    project.write("tally.yaml", PIPELINE)
    project.write("params.yaml", "train: {rate: 1}\n")
    old = project.commit()
    project.write("params.yaml", "train: {rate: 2}\n")
    new = project.commit()
    project.write("params.yaml", "train: {rate: 3}\n")
    at = [load_at(opened(project), old), load_at(opened(project), new), load(opened(project))]
    assert [graph.steps["make"].command for graph in at] == [f"echo {rate} > out" for rate in (1, 2, 3)]

"""A stage whose training code logs: its series is kept."""

import sys
from pathlib import Path

import tallystick
from tests.flows.conftest import Stages


def test_a_stage_that_logs_keeps_its_series_as_a_plot(bare: Stages) -> None:
    source = Path(tallystick.__file__).parent.parent
    script = (
        f"import sys; sys.path[:0] = {[str(source), *sys.path]!r}\n"
        "import tallystick\n"
        "tallystick.seed_everything()\n"
        "for epoch in range(3): tallystick.log(step=epoch, loss=1 / (1 + epoch))\n"
    )
    bare.repo.write("train.py", script)
    bare.pipeline(
        "stages: {train: {cmd: python train.py, deps: [train.py], plots: [plots/train.csv], seed: 1}}"
    )
    bare.tally("run")
    assert bare.repo.read("plots/train.csv").count(b"\n") == 4
    assert (bare.repo.path / "plots/train.csv.tally").is_file()
    assert "step 2: loss 0.333333" in bare.tally("show", "train").out

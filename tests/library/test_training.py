"""What training code says and asks while a stage runs."""

import math
import random
import sys
import time
from pathlib import Path

import pytest

import tallystick
from tallystick.errors import BadRecord, Refused
from tallystick.records import series


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stage that runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TALLY_STAGE", "sub:train")
    return tmp_path


def test_a_series_grows_by_a_row_a_step(stage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tallystick.log(loss=0.5)
    tallystick.log(loss=0.25)
    assert (stage / "plots/train.csv").read_text() == "step,loss\n0,0.5\n1,0.25\n"
    assert capsys.readouterr().out == "step 0: loss 0.5\nstep 1: loss 0.25\n"


def test_a_metric_that_comes_late_gets_its_column_then(stage: Path) -> None:
    tallystick.log(step=10, loss=0.5)
    tallystick.log(step=20, loss=0.25, accuracy=1)
    assert (stage / "plots/train.csv").read_text() == "step,loss,accuracy\n10,0.5,\n20,0.25,1.0\n"


def test_a_series_goes_to_the_file_that_is_named(stage: Path) -> None:
    tallystick.log(step=1, file="curve.csv", loss=1)
    assert (stage / "curve.csv").read_text() == "step,loss\n1,1.0\n"


def test_whatever_is_a_whole_number_counts_as_a_step_and_nothing_else(stage: Path) -> None:
    class Integer:
        def __index__(self) -> int:
            return 7

    tallystick.log(step=Integer(), loss=float("inf"))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        tallystick.log(step=0.5, loss=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="could not convert"):
        tallystick.log(step=8, loss="low")  # type: ignore[arg-type]
    assert (stage / "plots/train.csv").read_text() == "step,loss\n7,inf\n"


def test_a_tensor_is_taken_out_of_its_graph_of_gradients(stage: Path) -> None:
    class Tensor:
        def detach(self) -> float:
            return 0.25

        def __float__(self) -> float:
            raise AssertionError("a warning on every step")

    tallystick.log(loss=Tensor())
    assert (stage / "plots/train.csv").read_text() == "step,loss\n0,0.25\n"


@pytest.mark.parametrize("address", ["train@a:b", "sub:train@a:b"])
def test_the_series_of_one_stage_of_many_is_named_like_it(
    stage: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("TALLY_STAGE", address)
    tallystick.log(loss=1)
    assert (stage / "plots/train@a:b.csv").is_file()


def test_outside_of_a_run_nothing_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tallystick.log(step=1, loss=0.5)
    assert (list(tmp_path.iterdir()), capsys.readouterr().out) == ([], "")


def test_of_a_distributed_training_one_process_writes(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    tallystick.log(loss=0.5)
    assert list(stage.iterdir()) == []


def test_the_stages_seed_counts_inside_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLY_SEED", "7")
    assert tallystick.seed_everything(1) == 7
    drawn = random.random()
    assert drawn == random.Random(7).random()


def test_outside_of_a_run_the_seed_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tallystick.seed_everything(3) == 3
    with pytest.raises(Refused, match="no seed"):
        tallystick.seed_everything()


def test_numpy_is_seeded_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numpy.py").write_text("class random:\n    seeded = []\n    seed = seeded.append\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    tallystick.seed_everything(2**32 + 5)
    assert sys.modules.pop("numpy").random.seeded == [5]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("params.yaml", "train: {lr: 0.1}"),
        ("p.json", '{"train": {"lr": 0.1}}'),
        ("p.toml", "[train]\nlr = 0.1"),
    ],
)
def test_parameters_are_read_as_the_run_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    assert tallystick.params(name) == {"train": {"lr": 0.1}}


def test_parameters_that_can_not_be_read_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=r"`params\.yaml` can't be read"):
        tallystick.params()
    (tmp_path / "params.yaml").write_text("- a list")
    with pytest.raises(Refused, match="no mapping"):
        tallystick.params()
    (tmp_path / "params.yaml").write_text("a: &x 1")
    with pytest.raises(BadRecord):
        tallystick.params()


def test_the_run_keeps_each_step_with_its_moment(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLY_RECORD", str(stage))
    before = time.time()
    tallystick.log(loss=0.5)
    tallystick.log(step=7, loss=float("nan"))
    first, second = series.read((stage / "series.jsonl").read_bytes())
    assert (first.step, first.values) == (0, {"loss": 0.5})
    assert second.step == 7
    assert math.isnan(second.values["loss"])
    assert first.time is not None
    assert before - 0.001 <= first.time <= time.time()

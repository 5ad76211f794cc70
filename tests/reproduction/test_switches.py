"""Which recorded switches a repetition sets again, and which of them two runs differ in."""

from dataclasses import replace

import pytest

from tallystick.records.receipt import Receipt
from tallystick.reproduction.switches import switches_apart, switches_of
from tests.records.test_receipt import RECEIPT


def with_settings(settings: dict[str, str], *, seed: int | None = None, **variables: str) -> Receipt:
    """Return a receipt with these settings."""
    environment = replace(RECEIPT.environment, settings=settings)
    return replace(RECEIPT, environment=environment, seed=seed, variables=variables)


def test_switches_are_set_again_and_versions_of_libraries_are_not() -> None:
    receipt = with_settings({"MKL_CBWR": "AVX2", "openblas": "libopenblas64_p-r0.so", "torch.threads": "2"})
    assert switches_of(receipt) == {"MKL_CBWR": "AVX2"}


def test_what_a_stage_declares_is_none_of_its_switches() -> None:
    receipt = with_settings({"OMP_NUM_THREADS": "2"}, OMP_NUM_THREADS="2")
    assert switches_of(receipt) == {}
    assert list(switches_apart(receipt, with_settings({"OMP_NUM_THREADS": "1"}))) == []


@pytest.mark.parametrize(("seed", "set_again"), [(None, {"PYTHONHASHSEED": "7"}), (7, {})])
def test_the_seed_of_hashes_is_a_switch_where_no_seed_decides_it(
    seed: int | None, set_again: dict[str, str]
) -> None:
    assert switches_of(with_settings({"PYTHONHASHSEED": "7"}, seed=seed)) == set_again


@pytest.mark.parametrize(("value", "again"), [("", True), ("-1", True), ("3", False)])
def test_which_graphics_card_it_was_is_not_set_again_but_that_it_was_none(value: str, again: bool) -> None:
    receipt = with_settings({"CUDA_VISIBLE_DEVICES": value})
    assert switches_of(receipt) == ({"CUDA_VISIBLE_DEVICES": value} if again else {})


def test_a_seed_that_is_gone_is_no_other_switch() -> None:
    seeded = with_settings({"PYTHONHASHSEED": "7"}, seed=7)
    assert list(switches_apart(seeded, with_settings({}))) == []
    apart = list(switches_apart(with_settings({"MKL_CBWR": "AVX2"}), seeded))
    assert apart == [("MKL_CBWR", "AVX2", None)]

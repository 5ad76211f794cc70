"""How far several repetitions lay from the record, and the policy made of it."""

from tallystick.digest import Digest
from tallystick.records.tolerance import EVERY, Measured, Tolerance
from tallystick.records.verdict import Comparison, Difference
from tallystick.reproduction.spread import policy, spread, unmeasured

DIGEST = Digest.of(b"")


def compared(path: str, *differences: Difference) -> Comparison:
    return Comparison(path, "different", DIGEST, DIGEST, differences)


def off(name: str, by: float | None, file: str | None = None) -> Difference:
    return Difference(name if file is None else f"{file}: {name}", 1.0, 2.0, by, file=file)


def test_the_largest_distance_of_each_number_counts() -> None:
    found = spread(
        [
            [compared("m.json", off("loss", 0.25), off("acc", 0.5))],
            [compared("m.json", off("loss", 0.75)), compared("w.npy", off("array", 1e-7))],
            [],
        ]
    )
    assert found == {"m.json": {"loss": 0.75, "acc": 0.5}, "w.npy": {"array": 1e-7}}


def test_files_of_a_folder_have_paths_of_their_own() -> None:
    assert spread([[compared("out", off("a: b", 1.0, "x/t.csv"))]]) == {"out/x/t.csv": {"a: b": 1.0}}


def test_what_was_not_named_one_by_one_may_be_as_far_off_as_the_furthest() -> None:
    rest = Difference("", "", "9 more differences", 0.25)
    assert spread([[compared("m.json", off("a", 0.5), rest)]]) == {"m.json": {"a": 0.5, EVERY: 0.5}}


def test_what_has_no_distance_is_named_instead() -> None:
    runs = [[compared("m.json", off("loss", None), off("acc", 1.0))]] * 2
    assert spread(runs) == {"m.json": {"acc": 1.0}}
    assert unmeasured(runs) == ("m.json: loss",)


def test_identical_repetitions_have_no_spread() -> None:
    assert spread([[compared("m.json")], [compared("m.json")]]) == {}


def test_a_spread_becomes_a_policy_of_the_stage() -> None:
    bounds = {"loss": Tolerance(measured=Measured(0.5, 5))}
    assert policy({"sub/m.json": {"loss": 0.5}}, 5, "sub") == {"m.json": bounds}
    assert policy({"m.json": {"loss": 0.49900001}}, 5) == {"m.json": bounds}

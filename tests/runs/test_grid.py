"""The grid of a sweep, read from settings."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.errors import WrongUsage
from tallystick.records.params import override
from tallystick.runs.grid import MOST, comparable, parse


def values(setting: str) -> tuple[str, ...]:
    return parse([setting]).axes[0].values


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("lr=0.1,0.01", ("0.1", "0.01")),
        ("lr= 0.1 , 0.01 ", ("0.1", "0.01")),
        ("lr=0.1,0.1", ("0.1",)),
        ("depth=2..6", ("2", "3", "4", "5", "6")),
        ("depth=6..2", ("6", "5", "4", "3", "2")),
        ("depth=1,3..4,10", ("1", "3", "4", "10")),
        ("depth=0..10..4", ("0", "4", "8")),
        ("depth=10..0..-5", ("10", "5", "0")),
        ("depth=-2..-1", ("-2", "-1")),
        ("depth=3..3", ("3",)),
        ("rate=0.1..0.3..0.1", ("0.1", "0.2", "0.3")),
        ("rate=0.5..1..0.25", ("0.5", "0.75", "1.0")),
        ("rate=0..1..0.5", ("0.0", "0.5", "1.0")),
        ("name='a,b',c", ("'a,b'", "c")),
        ('name="a\\",b",c', ('"a\\",b"', "c")),
        ("name=don't,won't", ("don't", "won't")),
        ("name='1..3',x", ("'1..3'", "x")),
        ("layers=[32],[32,16]", ("[32]", "[32,16]")),
        ("layers={a: [1,2], b: 'x]'},{}", ("{a: [1,2], b: 'x]'}", "{}")),
        ("path=../a,../b", ("../a", "../b")),
        ("url=http://x/?a=b,c", ("http://x/?a=b", "c")),
        ("lr=1e-3,1e-2", ("1e-3", "1e-2")),
    ],
)
def test_values_stand_in_lists_ranges_quotes_and_brackets(setting: str, expected: tuple[str, ...]) -> None:
    assert values(setting) == expected


@pytest.mark.parametrize(
    ("given_settings", "complaint"),
    [
        ([], "needs a parameter"),
        (["lr"], "is not a parameter with its values"),
        (["=1"], "is not a parameter with its values"),
        (["f.yaml:=1"], "is not a parameter with its values"),
        (["lr="], "has an empty value"),
        (["lr=1,,2"], "has an empty value"),
        (["lr=1,2", "lr=3"], "is given twice"),
        (["lr='a,b"], "`'` is missing"),
        (["lr=[1,2"], "`]` is missing"),
        (["lr=0.1..0.5"], "needs a step"),
        (["lr=1..5..0"], "never gets from 1 to 5"),
        (["lr=1..5..-1"], "never gets from 1 to 5"),
        (["lr=1..5..1..1"], "is not a range"),
        (["lr=1e-3..1e-1"], "is not a range"),
        (["lr=0..999999999999999"], "has 1,000,000,000,000,000 values"),
        (["lr=0..1..0.000000000000001"], "values, and a sweep has at most 1,000"),
        (["a=1..100", "b=1..100"], "the grid has 10,000 points"),
        (["a=1..600,1001..1600"], "`a` has 1,200 values"),
    ],
)
def test_what_is_no_grid_is_refused_with_the_reason(given_settings: list[str], complaint: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        parse(given_settings)
    assert complaint in caught.value.message


def test_the_points_are_all_combinations_and_the_last_parameter_changes_first() -> None:
    grid = parse(["lr=0.1,0.2", "other.yaml:depth=2..3", "seed=7"])
    assert grid.varying == ("lr", "other.yaml:depth")
    assert [point.name for point in grid.points()] == [
        "lr=0.1 other.yaml:depth=2",
        "lr=0.1 other.yaml:depth=3",
        "lr=0.2 other.yaml:depth=2",
        "lr=0.2 other.yaml:depth=3",
    ]
    assert grid.points()[1].overrides == ("lr=0.1", "other.yaml:depth=3", "seed=7")


def test_a_grid_of_one_point_names_all_its_parameters() -> None:
    assert [point.name for point in parse(["a=1", "b=2"]).points()] == ["a=1 b=2"]


NAMES = st.from_regex(r"[a-z]{1,4}", fullmatch=True)
PLAIN = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=6)
QUOTED = st.text(st.sampled_from("ab,[]{}. "), max_size=6).map(lambda text: f"'{text}'")
LISTS = st.lists(st.integers(-9, 9), max_size=3).map(lambda numbers: str(numbers).replace(" ", ""))


SOME = st.lists(PLAIN | QUOTED | LISTS, min_size=1, max_size=4)
PATIENT = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(st.dictionaries(NAMES, SOME, min_size=1, max_size=3))
def test_each_point_is_a_grid_of_its_own(axes: dict[str, list[str]]) -> None:
    points = parse([f"{key}={','.join(some)}" for key, some in axes.items()]).points()
    distinct = 1
    for some in axes.values():
        distinct *= len(set(some))
    assert len(points) == len({point.overrides for point in points}) == distinct
    for point in points:
        assert [again.values for again in parse(point.overrides).points()] == [point.values]
        assert all(point.values[key] in axes[key] for key in axes)


@PATIENT
@given(st.integers(-500, 500), st.integers(1, 9), st.integers(0, MOST - 1), st.integers(0, 3))
def test_a_range_holds_exact_steps_and_both_ends(first: int, step: int, count: int, places: int) -> None:
    def text(number: int) -> str:
        sign, digits = "-" if number < 0 else "", str(abs(number)).rjust(places + 1, "0")
        return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"

    found = values(f"x={text(first)}..{text(first + step * count)}..{text(step)}")
    assert [round(float(value) * 10**places) for value in found] == [
        first + step * number for number in range(count + 1)
    ]
    assert all(("." in value) == bool(places) for value in found)


def test_every_kind_of_value_can_be_set_in_a_params_file() -> None:
    grid = parse(["x=1..2,0.5,'a,b',[1,2],true"])
    found = [override(b"x: 0\n", "params.yaml", point.overrides[0]) for point in grid.points()]
    assert found == [b"x: 1\n", b"x: 2\n", b"x: 0.5\n", b'x: "a,b"\n', b"x: [1, 2]\n", b"x: true\n"]


def test_numbers_are_sorted_by_size_and_before_texts() -> None:
    assert sorted(["10", "b", 2.5, "nan", "-1"], key=comparable) == ["-1", 2.5, "10", "b", "nan"]

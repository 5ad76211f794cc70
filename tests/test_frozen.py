import copy
import dataclasses
import inspect
import pickle
import threading
from dataclasses import field

import pytest

from tallystick.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A value with every kind of field."""

    x: int
    y: int = 2
    labels: list[str] = field(default_factory=list)
    note: str = field(default="", repr=False, compare=False)

    @property
    def sum(self) -> int:
        return self.x + self.y


@dataclass(frozen=True, slots=True)
class Named(Point):
    """A value that adds to another's fields."""

    name: str = "?"

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a name is wanted")


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """The same as `Point`, made by the standard library."""

    x: int
    y: int = 2
    labels: list[str] = field(default_factory=list)
    note: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Nothing:
    """A value without fields."""


def test_a_value_is_made_of_positions_names_and_defaults() -> None:
    assert dataclasses.astuple(Point(1)) == (1, 2, [], "")
    assert dataclasses.astuple(Point(1, y=3, labels=["a"], note="n")) == (1, 3, ["a"], "n")
    assert Point(1).labels is not Point(1).labels
    assert dataclasses.astuple(Named(1, name="n")) == (1, 2, [], "", "n")
    assert Nothing() == Nothing()


def test_a_value_can_be_made_with_no_wrong_arguments() -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) missing 1 required .* 'x'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        Point(1, z=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="a name is wanted"):
        Named(1, name="")


def test_a_value_never_changes_and_has_no_room_for_more() -> None:
    point = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point.x
    with pytest.raises(AttributeError):
        point.z = 2  # type: ignore[attr-defined]
    assert not hasattr(point, "__dict__")


def test_values_are_equal_when_their_compared_fields_and_classes_are() -> None:
    assert Point(1, note="a") == Point(1, note="b")
    assert Point(1) != Point(2)
    assert Point(1) != Named(1)
    assert Point(1) != Standard(1)
    assert hash(Nothing()) == hash(Nothing())
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1))


def test_a_value_looks_as_the_standard_library_shows_it() -> None:
    assert repr(Point(1, labels=["a"])) == repr(Standard(1, labels=["a"])).replace("Standard", "Point")


def test_the_standard_library_knows_the_fields() -> None:
    assert [one.name for one in dataclasses.fields(Point)] == ["x", "y", "labels", "note"]
    assert dataclasses.replace(Named(1, name="n"), x=5) == Named(5, name="n")
    assert Point.__match_args__ == ("x", "y", "labels", "note")


def test_a_class_may_give_fields_of_another_new_defaults() -> None:
    @dataclass(frozen=True, slots=True)
    class Far(Point):
        """A value whose field has another default than the one it comes from."""

        y: int = 9
        more: tuple[int, ...] = ()

    assert dataclasses.astuple(Far(1)) == (1, 9, [], "", ())
    assert (Far.__slots__, Far.__match_args__) == (("more",), ("x", "y", "labels", "note", "more"))
    assert Far(1) == Far(1, 9)
    assert Far(1) != Far(1, more=(2,))


def test_methods_that_a_class_has_itself_stay() -> None:
    @dataclass(frozen=True, slots=True)
    class Loose:
        """A value that is equal to all of its kind."""

        x: int

        def __eq__(self, other: object) -> bool:
            return type(other) is type(self)

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "loose"

    assert (Loose(1) == Loose(2), hash(Loose(3))) == (True, 7)
    assert repr(Loose(1)) == "loose"


def test_the_standard_library_may_ask_in_many_threads_at_once() -> None:
    @dataclass(frozen=True, slots=True)
    class Fresh:
        """A class that nobody has used yet."""

        x: int
        labels: list[str] = field(default_factory=list)

    asked: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: asked.append([one.name for one in dataclasses.fields(Fresh)]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [["x", "labels"]] * 8


def test_a_value_is_copied_and_travels_to_other_processes() -> None:
    point = Named(1, labels=["a"], note="n", name="m")
    for other in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert dataclasses.astuple(other) == dataclasses.astuple(point)


def test_the_first_values_may_be_made_by_many_threads_at_once() -> None:
    @dataclass(frozen=True, slots=True)
    class Fresh:
        """A class that nobody has used yet."""

        x: int

    made: list[int] = []
    threads = [threading.Thread(target=lambda: made.append(Fresh(1).x)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1] * 8
    assert list(inspect.signature(Fresh.__init__).parameters) == ["self", "x"]

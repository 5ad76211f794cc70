"""What is meant by the name of a metric."""

from tallystick.runs.measures import joined, names, places, short_name

FILES = {"metrics.json": {"loss": 1.0}, "a.json": {"loss": 2.0, "f1": 3.0}, "b.json": {"f1": 4.0}}


def test_a_bare_name_is_that_of_the_usual_file_else_of_the_only_one_that_has_it() -> None:
    assert places(FILES, "loss") == [("metrics.json", "loss")]
    assert places(FILES, "a.json:loss") == [("a.json", "loss")]
    assert places(FILES, "f1") == [("a.json", "f1"), ("b.json", "f1")]
    assert places(FILES, "nothing") == []


def test_metrics_are_named_as_short_as_can_be() -> None:
    assert names(FILES) == ["loss", "a.json:loss", "a.json:f1", "b.json:f1"]
    assert short_name(("metrics.json", "loss")) == "loss"


def test_the_metrics_of_several_stages_are_joined() -> None:
    assert joined([{"a": {"x": 1.0}}, {"b": {"y": 2.0}}]) == {"a": {"x": 1.0}, "b": {"y": 2.0}}

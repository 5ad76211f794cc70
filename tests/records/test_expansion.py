"""`foreach` and `matrix`: which stages they stand for, and how these are called."""

import pytest

from tallystick.errors import BadRecord
from tallystick.records.pipeline import Stage, parse, with_stage

MANY = ", ".join(f"k{n}: [1, 2, 3]" for n in range(40))
FILES = {"params.yaml": b"models: [ada, bob]\ngrid: {lr: [0.1, 1]}\ntable: {x: {n: 1}, y: {n: 2}}\n"}


def commands(text: str) -> dict[str, object]:
    return {name: stage.cmd for name, stage in parse(text, "tally.yaml", FILES.get).stages.items()}


@pytest.mark.parametrize(
    ("each", "cmd", "expected"),
    [
        ("[a, 1, 2.5, true]", "${item}", {"s@a": "a", "s@1": "1", "s@2.5": "2.5", "s@true": "true"}),
        ("{x: 1, y: 2}", "${key}=${item}", {"s@x": "x=1", "s@y": "y=2"}),
        ("{x: {n: 1}}", "${item.n}", {"s@x": "1"}),
        ("[{n: 1}, {n: 2}]", "${item.n}", {"s@0": "1", "s@1": "2"}),
        ('"${models}"', "${item}", {"s@ada": "ada", "s@bob": "bob"}),
        ('"${table}"', "${key} ${item.n}", {"s@x": "x 1", "s@y": "y 2"}),
        ('["${models[0]}", z]', "${item}", {"s@ada": "ada", "s@z": "z"}),
        ("[]", "${item}", {}),
        ("[data/a.csv]", "${item}", {"s@data/a.csv": "data/a.csv"}),
    ],
)
def test_foreach_makes_a_stage_of_each_item(each: str, cmd: str, expected: dict[str, str]) -> None:
    assert commands(f'stages: {{s: {{foreach: {each}, do: {{cmd: "{cmd}"}}}}}}') == expected


def test_foreach_needs_no_template() -> None:
    assert commands("stages: {s: {foreach: [a, b], do: {cmd: c}}}") == {"s@a": "c", "s@b": "c"}


def test_a_matrix_makes_a_stage_of_every_choice() -> None:
    text = 'stages: {s: {matrix: {m: "${models}", lr: "${grid.lr}"}, cmd: "${key} ${item.m} ${item.lr}"}}'
    assert commands(text) == {
        "s@ada-0.1": "ada-0.1 ada 0.1",
        "s@ada-1": "ada-1 ada 1",
        "s@bob-0.1": "bob-0.1 bob 0.1",
        "s@bob-1": "bob-1 bob 1",
    }


def test_a_matrix_of_mappings_counts_them() -> None:
    text = 'stages: {s: {matrix: {c: [{n: 1}, {n: 2}]}, cmd: "${item.c.n}"}}'
    assert commands(text) == {"s@c0": "1", "s@c1": "2"}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("{foreach: 1, do: {cmd: a}}", "must be a list or a mapping"),
        ("{foreach: [a]}", "`foreach` needs a `do`"),
        ("{foreach: [a], do: {cmd: a}, cmd: b}", "unknown key `cmd`"),
        ("{foreach: [a, a], do: {cmd: a}}", "two stages `s@a`"),
        ("{foreach: [a, A], do: {cmd: a}}", "differ in case only"),
        ("{foreach: ['a\\tb'], do: {cmd: a}}", "can't be a stage's name"),
        ("{foreach: [''], do: {cmd: a}}", "can't be a stage's name"),
        ("{foreach: [a, b], do: {cmd: a, outs: [x]}}", "both stage `s@a` and stage `s@b` make `x`"),
        ("{foreach: [a], do: {cmd: a, dpes: [x]}}", "stage `s@a`: unknown key `dpes`"),
        ("{foreach: [a], do: {cmd: '${it}'}}", "stage `s@a`: `${it}` refers to nothing"),
        ("{matrix: {}, cmd: a}", "must be a mapping of lists"),
        ("{matrix: {a: 1}, cmd: a}", "must be a list"),
        (
            f"{{matrix: {{{', '.join(f'k{n}: [1, 2, 3]' for n in range(40))}}}, cmd: a}}",
            "more than 100,000 stages",
        ),
    ],
)
def test_a_mistake_is_named(body: str, complaint: str) -> None:
    with pytest.raises(BadRecord) as caught:
        parse(f"stages:\n  s: {body.replace(chr(9), 'x')}\n".replace("'a\\tb'", '"a\\tb"'), "sub/tally.yaml")
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("sub/tally.yaml:2")


def test_a_stage_is_added_beside_templates() -> None:
    text = b"stages:\n  s:\n    foreach: ${models}\n    do: {cmd: 'a ${item}'}\n"
    added = with_stage(text, Stage("new", "echo ${HOME}"), "tally.yaml", FILES.get)
    assert added.startswith(text)
    assert parse(added, "tally.yaml", FILES.get).stages["new"].cmd == "echo ${HOME}"


def test_a_stage_does_not_take_the_place_of_a_whole_foreach() -> None:
    text = b"stages:\n  s:\n    foreach: [a, b]\n    do: {cmd: 'a ${item}'}\n"
    with pytest.raises(BadRecord, match="can't be written into this text"):
        with_stage(text, Stage("s", "x"))


def test_params_metrics_and_plots_may_stand_beside_the_stages() -> None:
    found = parse("params: [p.yaml]\nmetrics: [m.json]\nplots:\n  - a.csv\n  - b.csv: {x: step, y: [l, m]}\n")
    assert (found.params, found.metrics) == (("p.yaml",), ("m.json",))
    assert [(plot.path, plot.x, plot.y) for plot in found.plots] == [
        ("a.csv", None, ()),
        ("b.csv", "step", ("l", "m")),
    ]

"""The graph of all stages: order, makers, targets, and every contradiction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import BadRecord, Refused
from tallystick.runs.pipelines import Graph, graph


def of(text: str, **others: str) -> Graph:
    """A graph of the root's pipeline and those in folders."""
    texts = {"tally.yaml": text.encode()}
    texts.update({f"{folder}/tally.yaml": other.encode() for folder, other in others.items()})
    return graph(texts)


CHAIN = """
stages:
  evaluate: {cmd: e, deps: [model], outs: [report]}
  train: {cmd: t, deps: [clean/a.csv], outs: [model]}
  prepare: {cmd: p, deps: [raw], outs: [clean]}
  other: {cmd: o}
"""


def test_stages_run_after_those_they_depend_on() -> None:
    assert list(of(CHAIN).steps) == ["prepare", "train", "evaluate", "other"]


def test_a_target_brings_what_it_depends_on_and_nothing_else() -> None:
    assert [step.address for step in of(CHAIN).select(["train"])] == ["prepare", "train"]


@pytest.mark.parametrize("target", ["/", "/etc", "//etc", "", "..", "../clean", "sub:train"])
def test_what_no_stage_can_mean_is_refused(target: str) -> None:
    with pytest.raises(Refused, match="there is no stage"):
        of(CHAIN).select([target])


def test_without_targets_every_stage_is_meant() -> None:
    assert len(of(CHAIN).select([])) == 4


def test_a_stage_that_reads_a_folder_waits_for_all_who_write_into_it() -> None:
    found = of(
        "stages: {z: {cmd: z, deps: [data]}, a: {cmd: a, outs: [data/a]}, b: {cmd: b, outs: [data/b]}}"
    )
    assert found.needs["z"] == ("a", "b")


def test_parameters_that_a_stage_writes_are_a_dependency() -> None:
    found = of("stages: {b: {cmd: b, params: [{best.yaml: [lr]}]}, a: {cmd: a, outs: [best.yaml]}}")
    assert found.needs["b"] == ("a",)


def test_paths_are_relative_to_the_folder_a_stage_runs_in() -> None:
    found = of("", sub="stages: {a: {cmd: a, wdir: src, deps: [../x], outs: [y], tolerance: {y: 1}}}")
    step = found.steps["sub:a"]
    assert (step.cwd, step.deps, step.outs[0].path) == ("sub/src", ("sub/x",), "sub/src/y")
    assert list(step.tolerance) == ["sub/src/y"]
    assert step.receipt_path == "sub/receipts/a.json"
    assert step.lock_path == "sub/environment.lock"


def test_a_stage_in_a_folder_is_named_from_there_and_from_the_root() -> None:
    found = of("stages: {a: {cmd: a}}", sub="stages: {a: {cmd: b, outs: [o]}}")
    assert found.addresses("a") == ("a",)
    assert found.addresses("a", "sub") == ("sub:a",)
    assert found.addresses("sub:a") == ("sub:a",)


def test_an_out_and_a_pipeline_name_their_stages() -> None:
    found = of("stages: {a: {cmd: a}}", sub="stages: {b: {cmd: b, outs: [o]}, c: {cmd: c}}")
    assert found.addresses("sub/o") == ("sub:b",)
    assert found.addresses("o", "sub") == ("sub:b",)
    assert found.addresses("tally.yaml", "sub") == ("sub:b", "sub:c")


def test_an_unknown_stage_is_refused_with_the_closest_name() -> None:
    with pytest.raises(Refused, match="no stage `trian`") as caught:
        of(CHAIN).select(["trian"])
    assert caught.value.hint == "did you mean `train`?"


def test_a_target_without_any_stage_says_how_to_make_one() -> None:
    with pytest.raises(Refused) as caught:
        graph({}).select(["train"])
    assert "tally run -n" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "stages: {a: {cmd: a, deps: [x], outs: [y]}, b: {cmd: b, deps: [y], outs: [x]}}",
            "`a` -> `b` -> `a`",
        ),
        ("stages: {a: {cmd: a, deps: [x], outs: [x]}}", "depends on its own out"),
        ("stages: {a: {cmd: a, deps: [d], outs: [d/x]}}", "depends on its own out"),
        ("stages: {a: {cmd: a, outs: [d]}, b: {cmd: b, outs: [d/e]}}", "both write `d/e`"),
        ("stages: {a: {cmd: a, deps: [../up]}}", "leads out of the project"),
        ("stages: {a: {cmd: a, wdir: ..}}", "leads out of the project"),
    ],
)
def test_contradictions_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadRecord, match=complaint):
        of(text)


def test_two_pipelines_may_not_write_the_same_path() -> None:
    with pytest.raises(BadRecord, match="stages `a` and `sub:b` both write `sub/x`"):
        of("stages: {a: {cmd: a, outs: [sub/x]}}", sub="stages: {b: {cmd: b, outs: [x]}}")


def test_a_long_chain_needs_no_deep_stack() -> None:
    lines = [f"  s{i}: {{cmd: c, deps: [f{i + 1}], outs: [f{i}]}}" for i in range(3000)]
    assert next(iter(of("stages:\n" + "\n".join(lines)).steps)) == "s2999"


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30))
def test_every_order_puts_makers_first_or_names_a_cycle(edges: list[tuple[int, int]]) -> None:
    deps: dict[int, set[int]] = {number: set() for number in range(13)}
    for reader, maker in edges:
        deps[reader].add(maker)
    lines = [f"  s{n}: {{cmd: c, deps: [{', '.join(f'f{m}' for m in deps[n])}], outs: [f{n}]}}" for n in deps]
    cyclic = _has_cycle(deps)
    if cyclic:
        with pytest.raises(BadRecord, match=r"wait for each other|its own out"):
            of("stages:\n" + "\n".join(lines))
    else:
        order = list(of("stages:\n" + "\n".join(lines)).steps)
        assert all(order.index(f"s{maker}") < order.index(f"s{reader}") for reader, maker in edges)


def _has_cycle(deps: dict[int, set[int]]) -> bool:
    """Whether taking away what waits for nothing ever gets stuck."""
    left = {reader: set(makers) for reader, makers in deps.items()}
    while free := [number for number, makers in left.items() if not makers & left.keys()]:
        for number in free:
            del left[number]
    return bool(left)

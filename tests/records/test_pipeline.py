"""The pipeline: what a stage may say, how a mistake is reported, and how a stage is added to a text."""

from contextlib import suppress
from dataclasses import replace
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import BadRecord
from tallystick.records.pipeline import (
    EVERY,
    Out,
    ParamFile,
    Pipeline,
    Plot,
    Stage,
    Tolerance,
    parse,
    with_stage,
)
from tests.records.strategies import relaxed, stages, texts

TEXT = b"""\
# The digits, from images to a number.
stages:
  # images to one matrix
  prepare:
    cmd: python src/prepare.py   # fast
    deps: [src/prepare.py, data/digits]
    outs:
      - features.npz

  # the model
  train:
    cmd: python src/train.py            # a string (run by sh) or a list (run as it is)
    deps: [src/train.py, data/digits]
    params: [train]                     # keys of params.yaml, or {file: [keys]}
    outs: [model.joblib]                # tracked like `tally add`
    metrics: [metrics.json]
    plots: [plots/loss.csv]
    seed: 42                            # exported as TALLY_SEED and PYTHONHASHSEED, recorded
    variables: [OMP_NUM_THREADS]        # environment variables that the result depends on
    tolerance: {metrics.json: {accuracy: 1e-3}}   # default: identical
# end
"""


def one(body: str) -> Stage:
    return parse(f"stages:\n  s:\n    cmd: run\n    {body}\n").stages["s"]


def test_the_documented_stage_is_read() -> None:
    assert parse(TEXT).stages["train"] == Stage(
        name="train",
        cmd="python src/train.py",
        deps=("src/train.py", "data/digits"),
        params=(ParamFile("params.yaml", ("train",)),),
        outs=(Out("model.joblib"),),
        metrics=(Out("metrics.json", cache=False),),
        plots=(Out("plots/loss.csv"),),
        seed=42,
        variables=("OMP_NUM_THREADS",),
        tolerance={"metrics.json": {"accuracy": Tolerance(absolute=0.001)}},
    )


def test_all_outs_are_outs_metrics_and_plots() -> None:
    made = [out.path for out in parse(TEXT).stages["train"].all_outs]
    assert made == ["model.joblib", "metrics.json", "plots/loss.csv"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "stages:\n", "stages: {}\n"])
def test_a_pipeline_may_be_empty(text: str) -> None:
    assert parse(text) == Pipeline({})


def test_outs_say_whether_they_are_tracked() -> None:
    stage = one("outs: [a, b: {cache: false}]\n    metrics: [c, d: {cache: true}, e: ]")
    assert stage.outs == (Out("a"), Out("b", cache=False))
    assert stage.metrics == (Out("c", cache=False), Out("d"), Out("e", cache=False))


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ("params: [a, b.c]", (ParamFile("params.yaml", ("a", "b.c")),)),
        ("params: [{x.json: [k]}, a]", (ParamFile("x.json", ("k",)), ParamFile("params.yaml", ("a",)))),
        ("params: {x.toml: [k, l]}", (ParamFile("x.toml", ("k", "l")),)),
        ("params: {params.yaml: }", (ParamFile("params.yaml"),)),
        ("params: [a, {params.yaml: [b]}]", (ParamFile("params.yaml", ("a", "b")),)),
        ("params: [a, {params.yaml: }, b]", (ParamFile("params.yaml"),)),
    ],
)
def test_parameters_have_several_spellings(body: str, params: tuple[ParamFile, ...]) -> None:
    assert one(body).params == params


@pytest.mark.parametrize(
    ("body", "bounds"),
    [
        ("1e-3", {EVERY: Tolerance(absolute=1e-3)}),
        ("{accuracy: 1e-3, loss: 2}", {"accuracy": Tolerance(1e-3), "loss": Tolerance(2.0)}),
        ("{accuracy: {relative: 1e-2}}", {"accuracy": Tolerance(relative=1e-2)}),
        ("{accuracy: {relative: 0.1, absolute: 1}}", {"accuracy": Tolerance(1.0, 0.1)}),
        ("{relative: 0.1}", {EVERY: Tolerance(relative=0.1)}),
    ],
)
def test_a_tolerance_has_several_spellings(body: str, bounds: dict[str, Tolerance]) -> None:
    assert one(f"outs: [m]\n    tolerance: {{m: {body}}}").tolerance == {"m": bounds}


def test_a_tolerance_may_name_a_file_inside_an_out() -> None:
    assert list(one("outs: [results]\n    tolerance: {results/m.json: 1}").tolerance) == ["results/m.json"]


def test_paths_are_normalised_and_may_begin_above_the_folder() -> None:
    stage = one("wdir: ./sub/\n    deps: [./a, b/../c, ../d, ../../e/]")
    assert (stage.wdir, stage.deps) == ("sub", ("a", "c", "../d", "../../e"))


def test_plots_of_several_files_are_read_as_dvc_writes_them() -> None:
    text = """
    plots:
      - ROC:
          template: simple
          x: fpr
          y:
            roc/train.json: tpr
            roc/test.json: [tpr, threshold]
      - loss.csv: {y: loss, title: Loss}
      - both:
          x: {a.csv: step}
          y: {a.csv: , b.csv: acc}
          title: Both
      - images
    """
    assert parse(dedent(text)).plots == (
        Plot("roc/train.json", "fpr", ("tpr",), "ROC", template="simple"),
        Plot("roc/test.json", "fpr", ("tpr", "threshold"), "ROC", template="simple"),
        Plot("loss.csv", None, ("loss",), "Loss"),
        Plot("a.csv", "step", (), "Both"),
        Plot("b.csv", None, ("acc",), "Both"),
        Plot("images"),
    )


def test_a_command_may_be_a_list_of_words() -> None:
    assert parse("stages: {s: {cmd: [python, -c, 'print(1)']}}").stages["s"].cmd == (
        "python",
        "-c",
        "print(1)",
    )


MISTAKES = {
    "unknown key": ("dpes: [a]", "unknown key `dpes`"),
    "no mapping": ("outs: a", "`outs` must be a list"),
    "dep number": ("deps: [1]", "must hold texts"),
    "dep null": ("deps: [a, ]\n    outs: [~]", "must hold texts"),
    "dep url": ("deps: [s3://bucket/x]", "outside of the project"),
    "dep absolute": ("deps: [/etc/passwd]", "outside of the project"),
    "dep git": ("deps: [.git/config]", "belongs to git"),
    "dep only up": ("deps: [..]", "unsafe path"),
    "dep empty": ("deps: ['']", "unsafe path"),
    "out here": ("outs: [.]", "unsafe path"),
    "out option": ("outs: [a: {persist: true}]", "unknown key `persist`"),
    "out cache": ("outs: [a: {cache: maybe}]", "true or false"),
    "out two": ("outs: [{a: {cache: true}, b: {cache: true}}]", "wants"),
    "same out": ("outs: [a, ./a]", "names `a` twice"),
    "out and metric": ("outs: [a]\n    metrics: [a]", "makes `a` twice"),
    "same dep": ("deps: [a, a]", "twice"),
    "seed text": ("seed: abc", "whole number"),
    "seed negative": ("seed: -1", "whole number"),
    "seed true": ("seed: true", "whole number"),
    "seed large": ("seed: 99999999999999999999", "whole number"),
    "variable": ("variables: [A=B]", "not a variable's name"),
    "secret": ("variables: [AWS_SECRET_ACCESS_KEY]", "looks like a secret"),
    "token": ("variables: [HF_TOKEN]", "looks like a secret"),
    "frozen": ("frozen: 1", "true or false"),
    "tolerance of nothing": ("tolerance: {x: 1}", "doesn't make"),
    "tolerance negative": ("outs: [m]\n    tolerance: {m: -1}", "must be a number"),
    "tolerance text": ("outs: [m]\n    tolerance: {m: {a: small}}", "must be a number"),
    "tolerance nan": ("outs: [m]\n    tolerance: {m: .nan}", "must be a number"),
    "tolerance empty": ("outs: [m]\n    tolerance: {m: {}}", "empty"),
    "tolerance key": ("outs: [m]\n    tolerance: {m: {a: {abs: 1}}}", "unknown key `abs`"),
    "foreach": ("foreach: [1]", "unknown key `cmd`"),
    "do": ("do: {cmd: x}", "needs a `foreach`"),
    "matrix": ("matrix: [1]", "must be a mapping of lists"),
    "matrix of texts": ("matrix: {a: b}", "`a` of `matrix` must be a list"),
    "environment": ("environment: x", "must be a mapping"),
    "image": ("environment: {image: 'a b'}", "not the name of an image"),
    "trace": ("trace: all", "must be one of none, python, strace, enforce"),
    "network": ("network: 1", "true or false"),
    "feature": ("features: [users]", "write it as `view@v3`"),
    "feature twice": ("features: [users@v1, users@v2]", "names `users` twice"),
    "template": ("deps: ['${data}']", "refers to nothing"),
    "template inside": ("outs: [a: {cache: '${x}'}]", "refers to nothing"),
    "wdir absolute": ("wdir: /tmp", "outside of the project"),
    "wdir git": ("wdir: .git", "belongs to git"),
}


@pytest.mark.parametrize(("body", "complaint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_file_line_and_stage(body: str, complaint: str) -> None:
    with pytest.raises(BadRecord, match=complaint) as caught:
        parse(f"# one\nstages:\n  train:\n    cmd: run\n    {body}\n", "sub/tally.yaml")
    error = caught.value
    assert error.source == "sub/tally.yaml"
    assert error.line is not None
    assert error.line >= 3
    assert "train" in str(error) or "unsafe path" in str(error)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("artifacts: {}\n", "no meaning"),
        ("vars: [a.yaml]\nstages: {s: {cmd: a}}\n", "no file `a.yaml`"),
        ("vars: {a: 1}\nstages: {s: {cmd: a}}\n", "must be a list"),
        ("vars: [1]\nstages: {s: {cmd: a}}\n", "names of files, and mappings"),
        ("plots: [1]\n", "must hold paths"),
        ("plots: [{a: {z: 1}}]\n", "unknown key `z`"),
        ("plots: [{a: {y: {../b.csv: c}}}]\n", "unsafe path"),
        ("plots: [{a: {y: {b.csv: 1}}}]\n", "must be a text"),
        ("metrics: [../m.json]\n", "unsafe path"),
        ("stage:\n", "unknown key `stage`"),
        ("- a\n", "mapping is wanted"),
        ("stages: [a]\n", "must be a mapping"),
        ("stages:\n  s: run\n", "must be a mapping"),
        ("stages:\n  s: {}\n", "`cmd` is missing"),
        ("stages:\n  s: {cmd: ''}\n", "empty"),
        ("stages:\n  s: {cmd: []}\n", "empty"),
        ("stages:\n  s: {cmd: [a, 1]}\n", "must hold texts"),
        ("stages:\n  s: {cmd: 'echo ${HOME}'}\n", "refers to nothing"),
        ("stages:\n  ../s: {cmd: a}\n", "stage's name"),
        ("stages:\n  nul: {cmd: a}\n", "reserved"),
        ("stages:\n  a/b: {cmd: a}\n", "stage's name"),
        ("stages:\n  s: {cmd: a}\n  s: {cmd: b}\n", "twice"),
        ("stages:\n  s: {cmd: a}\n  S: {cmd: b}\n", "case only"),
        ("stages:\n  a: {cmd: a, outs: [x]}\n  b: {cmd: b, plots: [x]}\n", "both stage `a` and stage `b`"),
        ("stages:\n  a: {cmd: a, outs: [s/x]}\n  b: {cmd: b, wdir: s, outs: [x]}\n", "both stage"),
    ],
)
def test_a_broken_pipeline_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadRecord, match=complaint):
        parse(text)


@pytest.mark.parametrize(
    "shell",
    ["echo $HOME", "a | b > c", 'python -c "print({1: 2})"', "make -j4 && ls", "echo ${HOME} \\${X} ${"],
)
def test_a_command_is_the_shells_own_business(shell: str) -> None:
    assert with_stage(b"", Stage("s", shell))
    assert parse(with_stage(b"", Stage("s", shell))).stages["s"].cmd == shell


@relaxed
@given(stages())
def test_a_stage_survives_being_written_and_read(stage: Stage) -> None:
    assert parse(with_stage(b"", stage)).stages == {stage.name: stage}


@relaxed
@given(stages().filter(lambda stage: stage.name.lower() not in ("prepare", "train")))
def test_a_new_stage_leaves_every_other_byte(stage: Stage) -> None:
    stage = replace(stage, wdir="elsewhere")
    changed = with_stage(TEXT, stage)
    assert list(parse(changed).stages) == ["prepare", "train", stage.name]
    assert changed.startswith(TEXT.removesuffix(b"# end\n"))
    assert changed.endswith(b"# end\n")


@pytest.mark.parametrize("name", ["prepare", "train"])
def test_a_replaced_stage_leaves_every_other_byte(name: str) -> None:
    changed = with_stage(TEXT, Stage(name, "new"))
    assert parse(changed).stages == {**parse(TEXT).stages, name: Stage(name, "new")}
    begin, end = {"prepare": (b"  # images", b"\n  # the model"), "train": (b"  # the model", b"# end")}[name]
    head, tail = TEXT.partition(begin)[0] + begin, end + TEXT.partition(end)[2]
    assert changed.startswith(head)
    assert changed.endswith(tail)


def test_a_stage_put_in_twice_is_there_once() -> None:
    stage = Stage("new", "run", deps=("a",))
    assert with_stage(with_stage(TEXT, stage), stage) == with_stage(TEXT, stage)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"# only a comment",
        b"stages:",
        b"stages:   # soon\n# more\n",
        b"stages: {}  # none\n",
        b"stages: ~\n",
        b"stages:\n      deep:\n            cmd: x\n",
        b"stages:\n  a:\n    cmd: x",
        b"stages:\n  a:\n    cmd: >\n      folded\n      text\n\n\n",
        b"stages:\n  a:\n    cmd: |\n      one\n      two\n  # after\n",
        b"stages:\n  a: {cmd: x}\n",
        b"stages:\r\n  a:\r\n    cmd: x\r\n",
        b"stages:\n  a:\n    cmd: x\n    deps:\n    - b\n    - c\n\n# trailing\n",
        b"---\nstages:\n  a:\n    cmd: x\n",
    ],
)
def test_a_stage_can_be_added_to_any_usual_layout(text: bytes) -> None:
    stage = Stage("new", "run", deps=("a b",), seed=1)
    assert parse(with_stage(text, stage)).stages == {**parse(text).stages, "new": stage}


def test_stages_in_braces_are_left_to_the_user() -> None:
    with pytest.raises(BadRecord, match="braces"):
        with_stage(b"stages: {a: {cmd: x}}\n", Stage("b", "y"))


def test_a_stage_that_would_break_the_pipeline_is_not_written() -> None:
    with pytest.raises(BadRecord, match="both stage"):
        with_stage(TEXT, Stage("other", "run", outs=(Out("features.npz"),)))


@relaxed
@given(
    st.binary(max_size=200) | texts.map(lambda text: f"stages:\n  a:\n    cmd: {text}\n    {text}".encode())
)
def test_any_text_is_read_or_refused(data: bytes) -> None:
    with suppress(BadRecord):
        parse(data, "x")

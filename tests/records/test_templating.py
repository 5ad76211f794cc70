"""Templates: what `${…}` stands for, in which type, and every way to get it wrong."""

import pytest
from hypothesis import given

from tallystick.errors import BadRecord
from tallystick.records.pipeline import Out, ParamFile, Stage, parse
from tallystick.records.templating import Allowance, Place, Scope, escaped
from tests.records.strategies import relaxed, texts

FILES = {
    "params.yaml": b"train: {lr: 0.1, depth: 3, big: true, off: false}\nmodels: [ada, bob]\nempty:\n",
    "other.yaml": b"x: {y: [1, 2]}\nz: 2\n",
    "sub/own.json": b'{"own": "mine"}',
}

HERE = Place("tally.yaml", 1, "stage `s`")


def of(text: str) -> dict[str, Stage]:
    return dict(parse(text, "tally.yaml", FILES.get).stages)


def one(body: str, head: str = "") -> Stage:
    return of(f"{head}stages:\n  s:\n    {body}\n")["s"]


@relaxed
@given(texts)
def test_any_text_that_is_escaped_stands_for_itself(text: str) -> None:
    assert Scope().filled(escaped(text), HERE) == text


@relaxed
@given(texts.filter(lambda text: "${" not in text))
def test_a_text_without_a_template_is_left_alone(text: str) -> None:
    assert Scope().filled(text, HERE, "cmd") == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("a ${train.lr} b", "a 0.1 b"),
        ("${ train.lr }", "0.1"),
        ("${models[1]}/${models[0]}", "bob/ada"),
        ("${train[lr]}", "0.1"),
        ("${train.big} ${train.off}", "true false"),
        (r"\${train.lr} $HOME", "${train.lr} $HOME"),
        (r"\\${train.lr}", r"\${train.lr}"),
        ("go ${train}", "go --lr 0.1 --depth 3 --big"),
        ("${train}", "--lr 0.1 --depth 3 --big"),
    ],
)
def test_a_command_is_filled_in_from_params_yaml(template: str, text: str) -> None:
    assert one(f"cmd: '{template}'").cmd == text


def test_words_of_a_mapping_are_quoted_for_the_shell() -> None:
    stage = one("cmd: run ${v}", "vars: [{v: {name: it's, list: [1, a b], deep: {x: 1}}}]\n")
    assert stage.cmd == """run --name 'it'"'"'s' --list 1 'a b' --deep.x 1"""


def test_a_command_that_is_a_list_takes_a_mapping_as_words() -> None:
    assert one('cmd: [run, "${train}", "${models}"]').cmd == (
        "run", "--lr", "0.1", "--depth", "3", "--big", "ada", "bob",
    )  # fmt: skip


def test_values_keep_their_type_where_one_is_wanted() -> None:
    stage = one(
        'cmd: c\n    seed: "${train.depth}"\n    frozen: "${train.big}"\n'
        '    outs: [a: {cache: "${train.off}"}]'
    )
    assert (stage.seed, stage.frozen, stage.outs) == (3, True, (Out("a", cache=False),))


def test_everything_but_meta_may_be_a_template() -> None:
    stage = one(
        'cmd: c\n    wdir: "${d}"\n    deps: "${models}"\n    params: ["${p}.lr", {"${f}": [k]}]\n'
        '    outs: ["${models[0]}.bin": {cache: false}]\n    metrics: ["m${d}"]\n    desc: in ${d}\n'
        '    variables: ["${v}"]\n    tolerance: {"m${d}": "${t}"}\n    meta: {a: "${d}"}',
        "vars: [{d: sub, p: train, f: other.yaml, v: OMP, t: 0.5}]\n",
    )
    assert (stage.wdir, stage.deps, stage.desc) == ("sub", ("ada", "bob"), "in sub")
    assert stage.params == (ParamFile("params.yaml", ("train.lr",)), ParamFile("other.yaml", ("k",)))
    assert (stage.outs[0].path, stage.metrics[0].path, stage.variables) == ("ada.bin", "msub", ("OMP",))
    assert stage.tolerance["msub"]["*"].absolute == 0.5
    assert stage.meta == {"a": "${d}"}


def test_variables_come_from_files_parts_of_files_and_the_text_itself() -> None:
    head = "vars:\n  - other.yaml:x\n  - {name: 'm-${x.y[1]}', x: {w: 9}}\n  - params.yaml\n"
    assert one("cmd: ${name} ${x.w} ${train.lr}", head).cmd == "m-2 9 0.1"


def test_a_stage_has_variables_of_its_own_from_its_folder() -> None:
    stages = of(
        "stages:\n  a:\n    wdir: sub\n    vars: [own.json, {w: '${own}!'}]\n"
        "    cmd: ${own} ${w} ${train.lr}\n"
        "  b:\n    cmd: c\n    vars: [{train: {lr: 5}}]\n    desc: ${train.lr} ${train.depth}\n"
    )
    assert stages["a"].cmd == "mine mine! 0.1"
    assert stages["b"].desc == "5 3"


def test_a_broken_params_file_is_no_matter_without_templates() -> None:
    assert parse("stages: {s: {cmd: a}}", "t", {"params.yaml": b"{"}.get).stages["s"].cmd == "a"


MISTAKES = {
    "nothing": ("cmd: ${trian.lr}", "`${trian.lr}` refers to nothing"),
    "no such key": ("cmd: ${train.rate}", "refers to nothing"),
    "no such item": ("cmd: ${models[2]}", "refers to nothing"),
    "unclosed": ("cmd: a ${train.lr", "is not closed"),
    "unclosed later": ("cmd: ${train.lr} ${", "is not closed"),
    "no name": ("cmd: ${}", "is no reference"),
    "code": ("cmd: ${1 + 1; x()}", "refers to nothing"),
    "nested": ("cmd: ${a${b}}", "is no reference"),
    "list in a text": ("cmd: a ${models}", "is a list, where a text is needed"),
    "mapping in a text": ("cmd: a\n    deps: ['a/${train}']", "is a mapping, where a text is needed"),
    "mapping as a dep": ("cmd: a\n    deps: ['${train}']", "must hold texts"),
    "null": ("cmd: a ${empty}", "is null, where a text is needed"),
    "unsafe path": ("cmd: a\n    deps: ['${up}']", "unsafe path"),
    "twice": ("cmd: a\n    params: [{'${p}': [a], params.yaml: [b]}]", "stands twice"),
    "own file": ("cmd: ${train.lr}\n    vars: [none.yaml]", "no file `none.yaml`"),
    "own key": ("cmd: ${train.lr}\n    vars: ['other.yaml:w']", "`other.yaml` has no `w`"),
}


@pytest.mark.parametrize(
    ("reference", "ways"), [("HOME", r"`$HOME` or `\${HOME}`"), ("SEED:-a", r"is written `\${SEED:-a}`")]
)
def test_how_to_write_a_variable_of_the_shell_is_said(reference: str, ways: str) -> None:
    with pytest.raises(BadRecord) as caught:
        one(f"cmd: echo ${{{reference}}}")
    assert ways in (caught.value.hint or "")


@pytest.mark.parametrize(("body", "complaint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_names_file_line_and_stage(body: str, complaint: str) -> None:
    with pytest.raises(BadRecord) as caught:
        one(body, "vars: [{up: ../../.git/x, p: params.yaml}]\n")
    assert complaint in str(caught.value)
    assert caught.value.source == "tally.yaml"
    assert (caught.value.line or 0) >= 3
    assert "`s`" in str(caught.value) or "unsafe" in str(caught.value)


@pytest.mark.parametrize(
    ("vars_", "complaint"),
    [
        ("[{a: '${a}'}]", "`${a}` refers to itself"),
        ("[{a: '${b}', b: 'x${c}', c: '${a}'}]", "refers to itself"),
        ("[{a: {b: '${a.c}', c: '${a}'}}]", "refers to itself"),
        ("[{a: '${nothing}'}]", "refers to nothing"),
        ("[{train: {lr: 3}}]", "`train.lr` of `tally.yaml` is defined by `params.yaml` already"),
        ("[../../etc/passwd.yaml]", "no file"),
        ("[a.py]", "no file"),
    ],
)
def test_variables_that_make_no_sense_are_refused(vars_: str, complaint: str) -> None:
    with pytest.raises(BadRecord) as caught:
        one("cmd: x", f"vars: {vars_}\n")
    assert complaint in str(caught.value)
    assert caught.value.line == 1


def test_a_kilobyte_does_not_grow_into_a_gigabyte() -> None:
    doubling = ", ".join(f"a{n}: '${{a{n + 1}}}${{a{n + 1}}}'" for n in range(40))
    with pytest.raises(BadRecord, match="grow to more than"):
        one("cmd: ${a0}", f"vars: [{{{doubling}, a40: xxxxxxxx}}]\n")


def test_nested_lists_do_not_grow_without_bound_either() -> None:
    doubling = ", ".join(f"a{n}: ['${{a{n + 1}}}', '${{a{n + 1}}}']" for n in range(40))
    with pytest.raises(BadRecord, match=r"grow to more than|nested"):
        one("cmd: ${a0}", f"vars: [{{{doubling}, a40: []}}]\n")


def test_a_long_chain_of_variables_is_refused_and_not_a_fault() -> None:
    chain = ", ".join(f"a{n}: '${{a{n + 1}}}'" for n in range(3000))
    with pytest.raises(BadRecord, match="refer to each other in a row"):
        one("cmd: ${a0}", f"vars: [{{{chain}, a3000: x}}]\n")


def test_an_allowance_is_used_up() -> None:
    allowance = Allowance(10)
    allowance.take(10, HERE)
    with pytest.raises(BadRecord, match=r"tally.yaml:1: stage `s`: templates grow"):
        allowance.take(1, HERE)

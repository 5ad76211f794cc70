"""Rules on the source that no linter has: sizes, docstrings, a silent core, one exception tree."""

import ast
from collections.abc import Iterator

from tests.source import Function, Module, modules

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
STREAMS = ("sys.stdin", "sys.stdout", "sys.stderr")
# Runs as a script inside an interpreter that is not ours, and answers on standard output.
FOREIGN = {
    "envs.probe",
    "sandbox.inside.unpickler",
    "tracing.hook.sitecustomize",
    "tracing.hook.tally_facts",
    "launcher",
}


def _core() -> Iterator[Module]:
    """Yield the modules that must not talk: everything below the command line and the library."""
    for module in modules():
        if module.name not in FOREIGN | {"__main__"} and not module.name.startswith(("cli", "library")):
            yield module


def _length(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {module.where: module.text.count("\n") for module in modules()}
    assert not {where: lines for where, lines in long.items() if lines > LONGEST_FILE}


def test_no_function_is_longer_than_a_page() -> None:
    offences = [
        f"{module.at(function)}: {function.name} has {_length(function)} lines"
        for module in modules()
        for function in module.functions()
        if _length(function) > LONGEST_FUNCTION
    ]
    assert not offences, "\n".join(offences)


def test_every_file_says_in_one_line_what_it_is_for() -> None:
    offences = [
        module.where
        for module in modules()
        if not (doc := ast.get_docstring(module.tree)) or len(doc.splitlines()[0]) > 110
    ]
    assert not offences, "\n".join(offences)


def test_everything_public_has_a_docstring() -> None:
    offences = [
        f"{module.at(node)}: {node.name}"
        for module in modules()
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)
        and not ast.get_docstring(node)
    ]
    assert not offences, "\n".join(offences)


def test_every_function_says_what_it_returns() -> None:
    offences = [
        f"{module.at(function)}: {function.name}"
        for module in modules()
        for function in module.functions()
        if function.returns is None
    ]
    assert not offences, "\n".join(offences)


def test_exceptions_are_defined_in_one_file_only() -> None:
    offences = [
        f"{module.at(node)}: {node.name}"
        for module in modules()
        if module.name != "errors"
        for node in module.classes()
        if any(_dotted(base).endswith(("Error", "Exception")) for base in node.bases)
    ]
    assert not offences, "\n".join(offences)


def test_every_exception_is_drawn_in_the_tree_with_its_exit_code() -> None:
    (errors,) = (module for module in modules() if module.name == "errors")
    drawn = ast.get_docstring(errors.tree) or ""
    assert not [node.name for node in errors.classes() if f"{node.name} " not in drawn]


def test_data_classes_are_frozen_and_slotted() -> None:
    offences = []
    for module in _core():
        for node in module.classes():
            for decorator in node.decorator_list:
                if "dataclass" not in ast.unparse(decorator):
                    continue
                text = ast.unparse(decorator)
                # A private class may gather what a public, frozen value is then made of.
                frozen = node.name.startswith("_") or "frozen=True" in text
                if not frozen or "slots=True" not in text:
                    offences.append(f"{module.at(node)}: {node.name}")
    assert not offences, "\n".join(offences)


def test_the_core_neither_prints_nor_reads_the_terminal_nor_exits() -> None:
    banned = {
        "print",
        "input",
        "exit",
        "quit",
        "SystemExit",
        "sys.exit",
        "sys.stdin",
        "sys.stdout",
        "sys.stderr",
    }
    offences = [
        f"{module.at(node)}: {_dotted(node)}"
        for module in _core()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name | ast.Attribute) and _dotted(node) in banned
    ]
    assert not offences, "\n".join(offences)


def test_nothing_is_left_to_do_later() -> None:
    marks = ("TODO", "FIXME", "XXX", "HACK")
    offences = [
        f"{module.at(number)}: {line.strip()}"
        for module in modules()
        for number, line in enumerate(module.text.splitlines(), 1)
        if any(mark in line for mark in marks)
    ]
    assert not offences, "\n".join(offences)

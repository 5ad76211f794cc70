"""The program's own source, read as syntax trees, for the tests that check the house rules."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "tallystick"
SOURCE = ROOT / "src" / PACKAGE

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Import:
    """One import: where it stands and the full name of the module it brings in."""

    line: int
    module: str
    at_top: bool


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One file of the package; `name` is its dotted name below the package, "" for the package itself."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Return whether the file is the `__init__.py` of a folder."""
        return self.path.name == "__init__.py"

    @property
    def where(self) -> str:
        """Return the path as a reader would type it."""
        return self.path.relative_to(ROOT).as_posix()

    def at(self, node: ast.AST | int) -> str:
        """Return `file:line` of a node."""
        return f"{self.where}:{node if isinstance(node, int) else getattr(node, 'lineno', 1)}"

    def functions(self) -> Iterator[Function]:
        """Yield every function and method, inner ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def classes(self) -> Iterator[ast.ClassDef]:
        """Yield every class."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                yield node

    def imports(self) -> Iterator[Import]:
        """Yield every import; `from a import b` gives `a.b` where that is a module."""
        inner = {id(node) for function in self.functions() for node in ast.walk(function)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(node.lineno, alias.name, id(node) not in inner)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                for alias in node.names:
                    full = f"{base}.{alias.name}"
                    yield Import(node.lineno, full if full in names() else base, id(node) not in inner)

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = [PACKAGE, *filter(None, self.name.split("."))]
        parts = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*parts, *filter(None, [node.module])])


@cache
def names() -> frozenset[str]:
    """Return the full dotted names of all modules of the package."""
    return frozenset(".".join(filter(None, [PACKAGE, _name(path)])) for path in SOURCE.rglob("*.py"))


@cache
def modules() -> tuple[Module, ...]:
    """Return every module of the package."""
    return tuple(_module(path) for path in sorted(SOURCE.rglob("*.py")))


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _module(path: Path) -> Module:
    text = path.read_text("utf-8")
    return Module(_name(path), path, text, ast.parse(text, str(path)))

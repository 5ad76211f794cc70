"""Features: the views of `features.yaml`, their versions, and what each version was published as."""

import re
from collections.abc import Mapping
from typing import Any

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.paths import check_path
from tallystick.patterns import regex
from tallystick.records.fields import Fields, top
from tallystick.records.syntax import PIPELINE_LIMIT, decode, dump_json, line_of, load_yaml
from tallystick.records.yamledit import content_end, line_span, spaced
from tallystick.records.yamltree import Branch, Leaf, Node, parse_tree

FILE = "features.yaml"

_NUMBERS = r"\d{1,6}(?:\.\d{1,6}){0,2}"
_NAME = regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,98}", re.ASCII)
_VERSION = regex(rf"v?({_NUMBERS})", re.ASCII)
_USE = regex(rf"({_NAME.pattern})@v?({_NUMBERS})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Use:
    """A view that a stage reads, in one version: `user_stats@v3`."""

    view: str
    version: str

    def __str__(self) -> str:
        return f"{self.view}@{self.version}"


@dataclass(frozen=True, slots=True)
class View:
    """A view: defined by a file or a query, and its schema; `published` has the digest of each version."""

    name: str
    version: str
    definition: str | None = None
    query: str | None = None
    schema: Any = None
    description: str | None = None
    published: Mapping[str, Digest] | None = None

    @property
    def digest(self) -> Digest | None:
        """What its present version was published as; None if it never was."""
        return (self.published or {}).get(self.version)

    @property
    def next(self) -> str:
        """The version that a changed definition would get: the next whole number."""
        taken = [self.version, *(self.published or {})]
        return f"v{max(int(version[1:].partition('.')[0]) for version in taken) + 1}"


def parse_use(text: str) -> Use | None:
    """Read `user_stats@v3`; None for anything else."""
    match = _USE.fullmatch(text)
    return None if match is None else Use(match[1], f"v{match[2]}")


def parse_version(text: str) -> str | None:
    """Read `3`, `v3` or `3.1.0`; None for anything else."""
    match = _VERSION.fullmatch(text)
    return None if match is None else f"v{match[1]}"


def parse(data: bytes | str, source: str = FILE) -> dict[str, View]:
    """Read the views by name; raise BadRecord naming file, line and view."""
    value = load_yaml(data, source, PIPELINE_LIMIT)
    if value is None:
        return {}
    fields = top(value, source, "list of features")
    fields.only("views")
    if not fields.has("views"):
        return {}
    views = fields.fields("views")
    return {name: _view(name, views) for name in views.value}


def _view(name: str, views: Fields) -> View:
    if not _NAME.fullmatch(name):
        views.bad(f"a view's name is made of letters, digits, `_`, `-` and `.`, not `{name[:80]}`", name)
    fields = views.nested(name, views.value[name], f"view `{name}`")
    fields.only("version", "definition", "query", "schema", "description", "published")
    if fields.has("definition") == fields.has("query"):
        fields.bad("it needs a `definition` (a file) or a `query`, one of the two")
    schema = fields.value.get("schema")
    if isinstance(schema, str):
        check_path(schema, fields.source, line_of(fields.value, "schema"))
    return View(
        name,
        _version(fields, "version", fields.require("version")),
        definition=fields.optional("definition", fields.path),
        query=fields.optional("query", fields.text),
        schema=schema,
        description=fields.optional("description", fields.text),
        published=_published(fields),
    )


def _version(fields: Fields, key: str, value: object) -> str:
    """A whole number, or a text like `3.1.0`: YAML would take 3.10 for 3.1."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    version = parse_version(str(value)) if whole or isinstance(value, str) else None
    if version is None:
        fields.bad(f"`{str(value)[:40]}` is no version: write `3`, or `'3.1.0'` in quotes", key)
    return version


def _published(fields: Fields) -> dict[str, Digest]:
    if not fields.has("published"):
        return {}
    table = fields.fields("published")
    return {_version(table, key, key): table.digest(key) for key in table.value}


def digest_of(definition: bytes, schema: Any) -> Digest:
    """What a version means: its definition, line ends and blanks at them aside, and its schema."""
    lines = definition.decode("utf-8", "surrogateescape").splitlines()
    text = "\n".join(line.rstrip() for line in lines).strip("\n")
    encoded = text.encode("utf-8", "backslashreplace").decode()
    return Digest.of(dump_json({"definition": encoded, "schema": schema}))


def with_published(text: bytes, name: str, version: str, digest: Digest, source: str = FILE) -> bytes:
    """Write down that a view is published as a version; all else keeps every byte."""
    before = parse(text, source)
    changed = _changed(decode(text, source, PIPELINE_LIMIT), name, version, digest, source).encode()
    after = parse(changed, source)
    published = after[name].published or {}
    others = {key: view for key, view in before.items() if key != name}
    if (
        {key: view for key, view in after.items() if key != name} != others
        or after[name].version != version
        or published != {**(before[name].published or {}), version: digest}
    ):
        raise _by_hand(name, version, digest, source)
    return changed


def _by_hand(name: str, version: str, digest: Digest, source: str) -> BadRecord:
    hint = f"write by hand `version: {version[1:]}`, and `{version}: {digest}` below `published`"
    return BadRecord(f"view `{name}` can't be changed in this text", source, hint=hint)


def _changed(text: str, name: str, version: str, digest: Digest, source: str) -> str:
    root = parse_tree(text, source)
    views = root.child("views") if isinstance(root, Branch) else None
    view = views.child(name) if isinstance(views, Branch) else None
    if not isinstance(view, Branch) or view.flow:
        raise _by_hand(name, version, digest, source)
    # From the end to the beginning, so that places stay what they were.
    published = view.child("published")
    if isinstance(published, Branch) and published.items and not published.flow:
        text = _line_after(text, published, f"{' ' * published.column}{version}: {digest}\n")
    elif published is None:
        indent = " " * view.column
        text = _line_after(text, view, f"{indent}published:\n{indent}  {version}: {digest}\n")
    else:
        raise _by_hand(name, version, digest, source)
    number = view.child("version")
    assert isinstance(number, Leaf)
    said = version[1:] if version[1:].isdigit() else f'"{version[1:]}"'
    return text[: number.start] + spaced(text, number.start, said) + text[number.end :]


def _line_after(text: str, node: Node, line: str) -> str:
    _, end = line_span(text, node.start, content_end(text, node))
    gap = "" if text[:end].endswith("\n") else "\n"
    return text[:end] + gap + line + text[end:]

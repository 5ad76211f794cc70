"""The pointer `<path>.tally`: what stands in git for a file or folder that doesn't."""

from typing import Literal

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.paths import check_name
from tallystick.patterns import regex
from tallystick.records.fields import Fields, versioned
from tallystick.records.syntax import POINTER_LIMIT, decode, line_of, plain, refuse_conflict
from tallystick.records.yamledit import set_keys
from tallystick.records.yamltree import Branch, Node, parse_tree
from tallystick.records.yamlwrite import quoted

SUFFIX = ".tally"
VERSION = 1

Kind = Literal["file", "tree"]
KINDS: dict[str, Kind] = {"file": "file", "tree": "tree"}
_KEYS = ("tally", "path", "kind", "digest", "size", "files", "executable", "stage")

_CANONICAL = regex(
    rb"tally: 1\npath: ([A-Za-z_][A-Za-z0-9_/.-]*|\"[A-Za-z0-9_][A-Za-z0-9_/.-]*\")\n"
    rb"kind: (file|tree)\ndigest: blake3:([0-9a-f]{64})\n"
    rb"size: (0|[1-9][0-9]{0,17})\n(?:files: (0|[1-9][0-9]{0,17})\n)?"
    rb"(?:stage: ([A-Za-z_][A-Za-z0-9_/.@-]*)\n)?"
)
"""A pointer as `render` writes it. A project may have a hundred thousand: YAML takes twenty times as long."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a path held; `path` is a sibling's name, `files` counts a tree's, `stage` says who made it."""

    path: str
    kind: Kind
    digest: Digest
    size: int
    files: int | None = None
    executable: bool = False
    stage: str | None = None


def parse(data: bytes, source: str = "") -> Pointer:
    """Read a pointer; raise BadRecord naming file and line for anything else."""
    return _parse_canonical(data, source) or _parse_any(data, source)


def _parse_canonical(data: bytes, source: str) -> Pointer | None:
    match = _CANONICAL.fullmatch(data)
    if match is None or (match[2] == b"tree") != (match[5] is not None):
        return None
    written = match[1].decode()
    path = written.strip('"')
    stage = None if match[6] is None else match[6].decode()
    if quoted(path) != written or (stage is not None and quoted(stage) != stage):
        return None
    digest = Digest(bytes.fromhex(match[3].decode()))
    files = None if match[5] is None else int(match[5])
    name, kind = check_name(path, source, 2), KINDS[match[2].decode()]
    return Pointer(name, kind, digest, int(match[4]), files, stage=stage)


def _parse_any(data: bytes, source: str) -> Pointer:
    fields = versioned(plain(_tree(decode(data, source, POINTER_LIMIT), source)), source, "pointer", VERSION)
    kind = fields.choice("kind", KINDS)
    if kind == "file" and fields.has("files"):
        fields.bad("`files` belongs to trees only", "files")
    executable = fields.flag("executable")
    if executable and kind == "tree":
        fields.bad("`executable` belongs to files only", "executable")
    return Pointer(
        path=_name(fields),
        kind=kind,
        digest=fields.digest("digest"),
        size=fields.integer("size"),
        files=fields.integer("files") if kind == "tree" else None,
        executable=executable,
        stage=fields.optional("stage", fields.line),
    )


def _name(fields: Fields) -> str:
    return check_name(fields.text("path"), fields.source, line_of(fields.value, "path"))


def _tree(text: str, source: str) -> Node:
    """The text as YAML, with a word of its own for each way a pointer is commonly broken."""
    if not text.strip():
        raise BadRecord("the pointer is empty", source, 1, f"restore it with `git checkout -- {source}`")
    refuse_conflict(text, source, "keep one side: `git checkout --ours` or `--theirs`, then `git add`")
    if not text.endswith("\n"):
        # What is missing may be half a number, and half a number is a number.
        raise BadRecord("the pointer is truncated: its last line has no end", source, text.count("\n") + 1)
    node = parse_tree(text, source)
    if not isinstance(node, Branch) or node.keys is None:
        raise BadRecord("not a pointer: `tally: 1` is missing", source, 1)
    return node


def render(pointer: Pointer, previous: bytes = b"") -> bytes:
    """Write a pointer; comments and unknown keys of the previous text survive."""
    check_name(pointer.path)
    values = _values(pointer)
    if previous:
        rewritten = _rewritten(previous, values)
        if rewritten is not None and _says(rewritten, pointer):
            return rewritten
    return "".join(f"{key}: {text}\n" for key, text in values.items()).encode()


def _rewritten(previous: bytes, values: dict[str, str]) -> bytes | None:
    """The previous text with our fields changed; None where there is nothing worth keeping."""
    try:
        text = decode(previous, "", POINTER_LIMIT)
        root = _tree(text, "")
    except BadRecord:
        return None
    assert isinstance(root, Branch)
    return set_keys(text, root, _KEYS, values).encode()


def _says(data: bytes, pointer: Pointer) -> bool:
    try:
        return parse(data) == pointer
    except BadRecord:
        return False


def _values(pointer: Pointer) -> dict[str, str]:
    """The fields of a pointer in their order, as YAML text."""
    values = {
        "tally": str(VERSION),
        "path": quoted(pointer.path),
        "kind": pointer.kind,
        "digest": str(pointer.digest),
        "size": str(pointer.size),
        "files": None if pointer.files is None else str(pointer.files),
        "executable": "true" if pointer.executable else None,
        "stage": None if pointer.stage is None else quoted(pointer.stage),
    }
    return {key: text for key, text in values.items() if text is not None}

"""Reads YAML into a tree, and refuses what makes YAML dangerous (rule J1): the only importer of PyYAML."""

from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from tallystick.errors import BadRecord
from tallystick.records.yamltree import DEEPEST, Branch, Leaf, Node, resolve

try:
    from yaml import CSafeLoader as _Parser
except ImportError:  # a PyYAML that was built without libyaml: the same events, only slower
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]


def read(text: str, source: str) -> Node | None:
    """Read one YAML document; None when it is empty. Raises BadRecord with the line."""
    try:
        return _document(_events(text), source)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "not YAML"
        raise BadRecord(f"not valid YAML: {reason}", source, mark.line + 1 if mark else None) from error
    except yaml.YAMLError as error:
        raise BadRecord(f"not valid YAML: {str(error).splitlines()[0]}", source) from error


def _begin(event: Event) -> Any:
    """Where an event begins; libyaml always says so."""
    return event.start_mark


def _end(event: Event) -> Any:
    return event.end_mark


def _events(text: str) -> Iterator[Event]:
    parser = _Parser(text)
    try:
        while parser.check_event():
            event = parser.get_event()
            assert event is not None
            yield event
    finally:
        parser.dispose()


def _document(events: Iterator[Event], source: str) -> Node | None:
    root: Node | None = None
    documents = 0
    for event in events:
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1 or event.tags:
                raise BadRecord("one plain YAML document is wanted", source, _begin(event).line + 1)
        elif isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent | AliasEvent):
            root = _node(event, events, source, 1)
    return root


def _node(event: Event, events: Iterator[Event], source: str, depth: int) -> Node:
    """Build the node that begins with an event; bounded in depth, so recursion is safe."""
    line = _begin(event).line + 1
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
        raise BadRecord("YAML anchors and aliases are not allowed here", source, line, "write the value out")
    if getattr(event, "tag", None) is not None:
        raise BadRecord(
            f"the YAML tag `{str(getattr(event, 'tag', ''))[:40]}` is not allowed here", source, line
        )
    if depth > DEEPEST:
        raise BadRecord(f"nested deeper than {DEEPEST} levels", source, line)
    if isinstance(event, ScalarEvent):
        return _leaf(event)
    if isinstance(event, MappingStartEvent):
        return _mapping(event, events, source, depth)
    assert isinstance(event, SequenceStartEvent)
    return _sequence(event, events, source, depth)


def _leaf(event: ScalarEvent) -> Leaf:
    plain = event.style is None or event.style == ""
    start, end = _begin(event), _end(event)
    value = resolve(event.value) if plain else event.value
    return Leaf(value, event.value, plain, start.index, end.index, start.line + 1, start.column)


def _mapping(begin: MappingStartEvent, events: Iterator[Event], source: str, depth: int) -> Branch:
    keys: list[Leaf] = []
    items: list[Node] = []
    seen: set[str] = set()
    for event in events:
        if isinstance(event, MappingEndEvent):
            return _branch(begin, event, tuple(keys), items)
        key = _node(event, events, source, depth + 1)
        if not isinstance(key, Leaf):
            raise BadRecord("a key must be a plain word", source, key.line)
        if key.plain and key.text == "<<":
            raise BadRecord("YAML merge keys are not allowed here", source, key.line, "write the values out")
        if key.text in seen:
            raise BadRecord(f"the key `{key.text[:80]}` stands twice", source, key.line)
        seen.add(key.text)
        keys.append(key)
        items.append(_node(next(events), events, source, depth + 1))
    raise BadRecord("the text ends inside a mapping", source, _begin(begin).line + 1)


def _sequence(begin: SequenceStartEvent, events: Iterator[Event], source: str, depth: int) -> Branch:
    items: list[Node] = []
    for event in events:
        if isinstance(event, SequenceEndEvent):
            return _branch(begin, event, None, items)
        items.append(_node(event, events, source, depth + 1))
    raise BadRecord("the text ends inside a list", source, _begin(begin).line + 1)


def _branch(
    begin: MappingStartEvent | SequenceStartEvent,
    end: Event,
    keys: tuple[Leaf, ...] | None,
    items: list[Node],
) -> Branch:
    start = _begin(begin)
    # A block has no end of its own: libyaml puts it where the next thing begins, after comments.
    flow = bool(begin.flow_style)
    stop = _end(end).index if flow or not items else items[-1].end
    return Branch(keys, tuple(items), flow, start.index, stop, start.line + 1, start.column)

"""One self-contained HTML page: whatever is put on it is escaped, and it loads nothing from anywhere."""

import html
from collections.abc import Iterable

from tallystick.cli.text import COLOUR, harmless

GENERATOR = "tallystick"

# Nothing but what stands on the page itself: no script, no font, no picture from elsewhere.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_STYLE = """
:root { color-scheme: light dark; --back: #fff; --fore: #1c2024; --faint: #646d76; --line: #d8dee4;
  --good: #1a7f37; --bad: #cf222e; --changed: #9a6700;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #b58900; --c5: #56b4e9; --c6: #7a5195;
  --c7: #555; }
@media (prefers-color-scheme: dark) { :root { --back: #0f1215; --fore: #e6e9ec; --faint: #98a2ac;
  --line: #30373e; --good: #3fb950; --bad: #f85149; --changed: #d29922;
  --c0: #4aa8e0; --c1: #f08a45; --c2: #2ec79a; --c3: #e39cc4; --c4: #e0b83e; --c5: #8fd0ff; --c6: #b79ad6;
  --c7: #aaa; } }
body { margin: 2rem auto; padding: 0 1rem; max-width: 76rem; background: var(--back); color: var(--fore);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } h3 { font-size: 1rem; margin: 0; }
table { border-collapse: collapse; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 600; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.wide td { white-space: nowrap; } .cell { display: inline-block; max-width: 20rem; white-space: normal;
  overflow-wrap: break-word; } .cell.name { max-width: 14rem; }
code, pre { font: 13px/1.5 ui-monospace, monospace; } pre { overflow-x: auto; }
footer, .faint { color: var(--faint); } .good { color: var(--good); } .bad { color: var(--bad); }
.changed { color: var(--changed); }
"""


class Markup(str):
    """HTML that is safe to show, since `tag` and `escaped` alone make it."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """Any value as text on a page, whatever characters a stranger put into it."""
    shown = harmless(COLOUR.sub("", str(value))).encode("utf-8", "backslashreplace").decode()
    return Markup(html.escape(shown))


def tag(name: str, /, *parts: str, **attributes: object) -> Markup:
    """Make an element; parts that aren't markup are escaped, attributes always; None leaves one out.

    An attribute is written `class_` or `stroke_width` for `class` and `stroke-width`.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in ("img", "meta", "br"):
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{joined(parts)}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Parts one after the other; those that aren't markup are escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escaped(part) for part in parts))


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> Markup:
    """Make a table; a cell is text, or markup."""
    head = tag("tr", *(tag("th", heading) for heading in headings))
    body = (tag("tr", *(tag("td", cell) for cell in row)) for row in rows)
    whole = tag("table", tag("thead", head), tag("tbody", *body))
    return tag("div", whole, class_="wide")


def cell(text: str, kind: str | None = None) -> Markup:
    """What may be too long for a line of a table: it is broken, and what is beside it never crushed."""
    return tag("span", text, class_="cell" if kind is None else f"cell {kind}")


def page(title: str, *body: str, style: str = "") -> str:
    """Make a page of a title, parts, and a style of ours beside the usual one."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="generator", content=GENERATOR),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        # A style is no text: it must not be escaped, and holds nothing that came from outside.
        Markup(f"<style>{_STYLE}{style}</style>"),
    )
    content = tag("body", tag("h1", title), *body)
    return f"<!doctype html>\n{tag('html', head, content, lang='en')}\n"


def is_ours(data: bytes) -> bool:
    """Whether the beginning of a file is that of such a page."""
    return data.startswith(b"<!doctype html>") and f'content="{GENERATOR}"'.encode() in data[:1000]

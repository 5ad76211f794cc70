"""The HTML page: well formed, escaped, and complete in itself."""

from html.parser import HTMLParser

import pytest

from tallystick.cli.page import Markup, escaped, is_ours, joined, page, table, tag

HOSTILE = "</title><script>alert('1')</script>\"'&<img src=http://x onerror=x>\x1b[31m\x00\u202e\ud800"


class Outline(HTMLParser):
    """What a page is made of: elements in order, those that stay open, every address, all text."""

    LEAVES = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.LEAVES:
            self.open.append(tag)
        for name, value in attrs:
            if name.startswith("on") or len({name for name, _ in attrs}) != len(attrs):
                self.wrong.append(name)
            if name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def whole(text: str) -> Outline:
    """Read a page and see that it is whole and refers to nothing outside."""
    outline = Outline(text)
    assert not outline.open
    assert not outline.wrong
    assert not [link for link in outline.links if not link.startswith(("#", "data:image/"))]
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(outline.tags)
    assert "url(" not in text
    assert "@import" not in text
    return outline


@pytest.mark.parametrize("name", [HOSTILE, "a & b", "<b>"])
def test_names_of_strangers_stay_text(name: str) -> None:
    text = page(name, tag("p", name, title=name, class_=name), table([name], [[name, tag("b", name)]]))
    outline = whole(text)
    assert outline.tags.count("b") == 1
    text.encode("utf-8")
    assert not set("\x1b\x00\u202e") & set(text)


def test_markup_is_made_once_and_text_is_escaped_once() -> None:
    assert tag("p", tag("b", "<"), " & ") == "<p><b>&lt;</b> &amp; </p>"
    assert joined(["<", Markup("<br>")]) == "&lt;<br>"
    assert tag("i", title=None, stroke_width=2) == '<i stroke-width="2"></i>'
    assert escaped("\x1b[31mred\x1b[0m") == "red"


def test_a_page_of_ours_is_known_by_its_beginning() -> None:
    assert is_ours(page("title").encode())
    assert not is_ours(b"<!doctype html><html><head><title>Mine</title>")

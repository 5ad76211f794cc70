"""The tree: one text for one content, and no other text is read."""

import gc
import random
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.records import tree
from tallystick.records.tree import EMPTY, Entry, collisions, parse, render
from tests.records.strategies import digests, raw_paths, relaxed, sizes

DIGEST = Digest.of(b"x")
HEX = DIGEST.hex().encode()


def entry(path: bytes, mode: str = "f") -> Entry:
    return Entry(mode, EMPTY, 0, path) if mode == "d" else Entry(mode, DIGEST, 1, path)


entries = st.builds(Entry, st.sampled_from("fxl"), digests, sizes, raw_paths) | raw_paths.map(
    lambda path: entry(path, "d")
)


@relaxed
@given(st.lists(entries, max_size=8, unique_by=lambda item: item.path), st.integers(1, 200))
def test_the_contents_of_a_tree_are_the_digests_of_all_but_its_empty_folders(
    items: list[Entry], piece: int
) -> None:
    assume(not _nested([item.path for item in items]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "_PIECE", piece)
        assert tree.contents(render(items)) == {item.digest for item in items if item.mode != "d"}


@pytest.mark.parametrize(
    "text",
    [
        b"f blake3:%b 1 a" % HEX,
        b"f blake3:%b 1 a\n\n" % HEX,
        b"ff blake3:%b 1 a\n" % HEX,
        b"f blake3:%b 1 a\nd - 0 f blake3:%b 1 b\nx" % (HEX, HEX),
        b"f blake3:%b 1 a\n" % HEX.upper(),
        b"f blake3:%b 1 a\n" % HEX.replace(HEX[:1], b"g"),
        b"f blake3:%b 1 a\n" % HEX.replace(HEX[:1], b"g") * 2,
    ],
)
@pytest.mark.parametrize("piece", [1, 100, 1 << 20])
def test_the_contents_of_what_is_no_tree_are_refused(
    text: bytes, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "_PIECE", piece)
    with pytest.raises(BadRecord):
        tree.contents(text)


def test_a_folder_that_is_called_like_a_line_is_no_content() -> None:
    text = b"d - 0 f blake3:%b 1 b\nf blake3:%b 1 z\n" % (HEX.upper(), HEX)
    assert tree.contents(text) == {DIGEST}


def _nested(paths: list[bytes]) -> bool:
    return any(other.startswith(path + b"/") for path in paths for other in paths)


@relaxed
@given(st.lists(entries, max_size=8, unique_by=lambda item: item.path), st.randoms())
def test_a_tree_survives_a_round_trip_whatever_its_order(items: list[Entry], chance: random.Random) -> None:
    assume(not _nested([item.path for item in items]))
    data = render(items)
    assert parse(data) == sorted(items, key=lambda item: item.path)
    chance.shuffle(items)
    assert render(items) == data
    assert render(parse(data)) == data


@relaxed
@given(st.lists(entries, max_size=4, unique_by=lambda item: item.path), st.data())
def test_a_changed_byte_is_refused_or_changes_the_tree(items: list[Entry], data: st.DataObject) -> None:
    assume(items and not _nested([item.path for item in items]))
    text = bytearray(render(items))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] ^= data.draw(st.integers(1, 255))
    try:
        found = parse(bytes(text), "x")
    except BadRecord:
        return
    assert render(found) == bytes(text)


def test_an_entry_looks_as_documented() -> None:
    items = [
        entry(b"b.txt"),
        entry(b"empty", "d"),
        entry(b"link", "l"),
        entry(b"a/run me", "x"),
        entry("a/ü".encode()),
        entry(b"a/new\nline"),
        entry(b"a/100%"),
        entry(b"a/\xff"),
    ]
    assert render(items).decode().splitlines() == [
        f"f {DIGEST} 1 a/100%25",
        f"f {DIGEST} 1 a/new%0Aline",
        f"x {DIGEST} 1 a/run me",
        f"f {DIGEST} 1 a/ü",
        f"f {DIGEST} 1 a/%FF",
        f"f {DIGEST} 1 b.txt",
        "d - 0 empty",
        f"l {DIGEST} 1 link",
    ]


def test_an_empty_folder_is_an_empty_text() -> None:
    assert render([]) == b""
    assert parse(b"") == []


LINE = b"f blake3:" + HEX + b" 1 "
BROKEN = {
    "no end": (LINE + b"a", "last line"),
    "blank line": (LINE + b"a\n\n", "not a tree"),
    "only a blank line": (b"\n", "not a tree|truncated"),
    "mode": (LINE.replace(b"f ", b"z ", 1) + b"a\n", "not a tree"),
    "short digest": (LINE.replace(HEX, HEX[:-1]) + b"a\n", "not a tree"),
    "upper digest": (LINE.replace(HEX, HEX.upper()) + b"a\n", "not a tree"),
    "no hex": (LINE.replace(HEX, b"g" * 64) + b"a\n", "not a tree"),
    "algorithm": (LINE.replace(b"blake3", b"sha256") + b"a\n", "not a tree"),
    "leading zero": (LINE.replace(b" 1 ", b" 01 ") + b"a\n", "not a tree"),
    "negative": (LINE.replace(b" 1 ", b" -1 ") + b"a\n", "not a tree"),
    "two blanks": (LINE + b" \n", "blank|unsafe|not a tree"),
    "no path": (LINE + b"\n", "not a tree"),
    "unsorted": (LINE + b"b\n" + LINE + b"a\n", "sorted"),
    "twice": (LINE + b"a\n" + LINE + b"a\n", "each path once"),
    "below a file": (LINE + b"a\n" + LINE + b"a/b\n", "no folder"),
    "far below a file": (LINE + b"a\n" + LINE + b"a-b\n" + LINE + b"a/b/c/d\n", "no folder"),
    "below a link": (b"l" + LINE[1:] + b"a\n" + LINE + b"a/b\n", "no folder"),
    "below an empty folder": (b"d - 0 a\n" + LINE + b"a/b\n", "no folder"),
    "empty folder with size": (b"d - 1 a\n", "not a tree"),
    "absolute": (LINE + b"/etc/passwd\n", "absolute"),
    "up": (LINE + b"../x\n", "unsafe"),
    "up inside": (LINE + b"a/../../x\n", "unsafe"),
    "dot": (LINE + b"./x\n", "unsafe"),
    "double slash": (LINE + b"a//b\n", "unsafe"),
    "trailing slash": (LINE + b"a/\n", "unsafe"),
    "git": (LINE + b".git/config\n", "belongs to git"),
    "git in disguise": (LINE + "a/.G\u200cit/config\n".encode(), "belongs to git"),
    "git behind a mark": (LINE + "\u200c.git/config\n".encode(), "belongs to git"),
    "git short": (LINE + b"GIT~1/config\n", "belongs to git"),
    "tally": (LINE + b"x/.tally/y\n", "belongs to git or tally"),
    "device": (LINE + b"a/NUL.txt\n", "reserved"),
    "backslash": (LINE + b"a\\b\n", "backslash"),
    "quoted for nothing": (LINE + b"%61\n", "quoted"),
    "quoted dots": (LINE + b"%2E%2E/x\n", "quoted"),
    "quoted slash": (LINE + b"a%2Fb\n", "quoted"),
    "quoted in lower case": (LINE + b"a%0a\n", "quoted"),
    "control": (LINE + b"a\tb\n", "quoted"),
    "return": (LINE + b"a\r\n", "quoted"),
    "not utf-8": (LINE + b"a\xff\n", "quoted"),
    "long part": (LINE + b"x" * 256 + b"\n", "255"),
    "deep": (LINE + b"a/" * 130 + b"a\n", "deeper"),
    "junk before": (b"junk" + LINE + b"a\n", "not a tree"),
}


@pytest.mark.parametrize(("data", "complaint"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_tree_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(BadRecord, match=complaint) as caught:
        parse(data, "tree of images")
    assert caught.value.source == "tree of images"


def test_an_error_names_the_line_in_a_long_tree() -> None:
    good = [LINE + b"%05d\n" % number for number in range(1000)]
    with pytest.raises(BadRecord) as caught:
        parse(b"".join([*good[:700], b"f x 1 y\n", *good[700:]]), "t")
    assert caught.value.line == 701


@pytest.mark.parametrize(
    "bad",
    [
        entry(b"../x"),
        entry(b".git/x"),
        entry(b""),
        Entry("z", DIGEST, 1, b"a"),
        Entry("f", Digest(b"x"), 1, b"a"),
        Entry("f", DIGEST, -1, b"a"),
        Entry("d", DIGEST, 0, b"a"),
        Entry("d", EMPTY, 5, b"a"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(bad: Entry) -> None:
    with pytest.raises(BadRecord):
        render([entry(b"z"), bad])


def test_a_path_that_stands_twice_is_not_written() -> None:
    with pytest.raises(BadRecord, match="once"):
        render([entry(b"a"), entry(b"a", "x")])


def test_names_that_differ_in_case_or_form_only_collide() -> None:
    items = [
        entry(p)
        for p in (b"A/x", b"a/y", b"b", b"B", b"c", "ü".encode(), "u\u0308".encode(), "ß".encode(), b"SS")
    ]
    assert collisions([item.path for item in items]) == [
        (b"A", b"a"),
        (b"B", b"b"),
        (b"SS", "ß".encode()),
        (b"u\xcc\x88", b"\xc3\xbc"),
    ]
    assert collisions([b"a/b", b"a/c", "ü".encode()]) == []


def test_the_quick_look_at_all_paths_never_passes_what_the_rule_refuses() -> None:
    chance = random.Random(7)
    pieces = [
        "a",
        "B",
        ".",
        "..",
        "/",
        "//",
        " ",
        "con",
        "nul.txt",
        ".git",
        "git~1",
        "\u200c",
        "é",
        "İ",
        "ſ",
        "K",
        "名",
        "\n",
        "-",
        "com¹",
    ]
    for _ in range(20_000):
        path = "".join(chance.choices(pieces, k=chance.randint(1, 5))).encode()
        if tree._all_plain([b"first", path]):
            assert parse(render([entry(path)])) == [entry(path)]
            tree._check_paths([path], "")


@pytest.mark.parametrize("folder", ["folder", "größe", "写真"])
def test_a_large_tree_is_read_and_written_in_a_fraction_of_a_second(folder: str) -> None:
    items = [
        Entry("f", DIGEST, number, f"{folder}{number // 1000:03}/image-{number:05}.png".encode())
        for number in range(50_000)
    ]
    gc.collect()
    start = time.process_time()
    data = render(items)
    written = time.process_time()
    assert parse(data) == items
    # Twenty times less than the honest rate: this finds a quadratic step, not a slow machine.
    assert written - start < 2.5
    assert time.process_time() - written < 3.5


@relaxed
@given(
    st.lists(entries, max_size=6, unique_by=lambda item: item.path),
    st.lists(entries, max_size=6, unique_by=lambda item: item.path),
    st.lists(entries, max_size=6, unique_by=lambda item: item.path),
    st.booleans(),
)
def test_the_difference_of_two_trees_is_what_only_one_of_them_lists(
    both: list[Entry], first: list[Entry], second: list[Entry], in_order: bool
) -> None:
    one = {item.path: item for item in (*both, *first)}
    two = {item.path: item for item in (*both, *second)}
    assume(not _nested([*one]) and not _nested([*two]))
    before, after = render(one.values()), render(two.values())
    found = tree.difference(before, after, in_order=in_order)
    if found is None:
        assert b"%" in before + after
    else:
        gone, came = set(one.values()) - set(two.values()), set(two.values()) - set(one.values())
        assert found == (
            sorted(gone, key=lambda item: item.path),
            sorted(came, key=lambda item: item.path),
        )


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("kept", [slice(0), slice(1, None), slice(0, 400), slice(0, None, 2), slice(None)])
def test_the_difference_of_large_trees_is_told_piece_by_piece(
    kept: slice, in_order: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "_PIECE", 1000)
    monkeypatch.setattr(tree, "_STRETCH", 200)
    every = [Entry("f", DIGEST, number, b"%03d" % number) for number in range(500)]
    changed = [item._replace(size=item.size + item.size % 3 // 2) for item in every]
    some = every[kept]
    for one, two in ((some, changed), (changed, some), (every, changed)):
        found = tree.difference(render(one), render(two), in_order=in_order)
        assert found == ([item for item in one if item not in two], [item for item in two if item not in one])


def test_the_difference_to_what_is_not_sorted_is_still_what_only_one_lists() -> None:
    lines = [b"f blake3:%s 1 %s\n" % (HEX, path) for path in (b"c", b"a", b"b")]
    found = tree.difference(b"".join(lines), b"".join(sorted(lines)[:2]))
    assert found is not None
    assert [[item.path for item in items] for items in found] == [[b"c"], []]
    assert tree.difference(lines[0][:-1], lines[0]) is None


def test_the_order_of_what_two_trees_both_say_is_read_only_if_it_matters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tree, "_STRETCH", 1)
    lines = b"f blake3:%s 1 b\nf blake3:%s 1 a\n" % (HEX, HEX)
    more = b"f blake3:%s 1 c\n" % HEX
    assert tree.difference(lines, lines + more, in_order=False) == ([], parse(more))
    with pytest.raises(BadRecord):
        tree.difference(lines, lines + more)


@pytest.mark.parametrize(
    "lines",
    [
        b"f blake3:%s 1 b\nf blake3:%s 1 a\n" % (HEX, HEX),
        b"f blake3:%s 1 a\nf blake3:%s 1 a\n" % (HEX, HEX),
        b"f blake3:%s 1 a" % HEX,
        b"nothing of a tree\n",
        b"f blake3:%s 1 ../a\n" % HEX,
        b"\n",
    ],
)
def test_no_difference_is_told_to_what_is_no_tree(lines: bytes) -> None:
    with pytest.raises(BadRecord):
        tree.difference(b"", lines)

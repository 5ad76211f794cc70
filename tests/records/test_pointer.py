"""The pointer: both ways, with the user's own words kept, and every way it can be broken."""

import re
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.records import pointer as records
from tallystick.records.pointer import Pointer, parse, render
from tests.records.strategies import digests, lines, names, relaxed, sizes

DIGEST = Digest.of(b"x")
FILE = Pointer("labels.csv", "file", DIGEST, 12)
TREE = Pointer("images", "tree", DIGEST, 1288490188, 202599, stage="prepare")
TEXT = render(FILE)

pointers = st.builds(
    Pointer, names, st.just("file"), digests, sizes, st.none(), st.booleans(), st.none() | lines
) | st.builds(Pointer, names, st.just("tree"), digests, sizes, sizes, st.just(False), st.none() | lines)


@relaxed
@given(pointers)
def test_a_pointer_survives_a_round_trip(pointer: Pointer) -> None:
    data = render(pointer)
    assert parse(data) == pointer
    assert render(parse(data)) == data


@relaxed
@given(pointers, pointers)
def test_a_rewritten_pointer_says_what_a_new_one_says(old: Pointer, new: Pointer) -> None:
    assert parse(render(new, render(old))) == new


@relaxed
@given(pointers)
def test_other_yaml_readers_see_the_same(pointer: Pointer) -> None:
    assert yaml.safe_load(render(pointer))["path"] == pointer.path


@st.composite
def nearly_canonical(draw: st.DrawFn) -> bytes:
    """A pointer as it is written, with some of its words or lines exchanged for others."""
    text = render(draw(pointers)).decode()
    words = [word for line in text.splitlines(keepends=True) for word in re.split(r"(?<=: )", line)]
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.sampled_from(range(len(words))))
        words[at] = draw(st.sampled_from(["", *ODD_WORDS, *words]))
    return "".join(words).encode()


ODD_WORDS = [
    *("\n", "#\n", "07\n", "-1\n", "0x1f\n", "1e3\n", "null\n", "true\n", "No\n", "~\n", '"7"\n', '"0"\n'),
    *('"1.5"\n', "1.5\n", "12:30\n", '"2024-01-01"\n', "a/b\n", "../a\n", ".git\n", "nul\n", "a b\n"),
    *("a: b\n", "a #b\n", "file\n", "tree\n", "9" * 18 + "\n", "9" * 19 + "\n", "note: 1\n"),
]  # fmt: skip
"""What means something else in YAML, or nothing."""


@settings(relaxed, max_examples=250)
@given(nearly_canonical())
def test_the_quick_way_to_read_a_pointer_says_what_the_long_way_says(data: bytes) -> None:
    def said(read: Callable[[bytes, str], Pointer | None]) -> Pointer | str | None:
        try:
            return read(data, "a.tally")
        except BadRecord as error:
            return str(error)

    quick = said(records._parse_canonical)
    assert quick is None or quick == said(records._parse_any)


def test_pointers_as_they_are_written_are_read_the_quick_way() -> None:
    for one in (FILE, TREE, Pointer("0001", "file", DIGEST, 0)):
        assert records._parse_canonical(render(one), "") == one


def test_a_pointer_looks_as_documented() -> None:
    assert render(TREE).decode() == (
        f"tally: 1\npath: images\nkind: tree\ndigest: {DIGEST}\n"
        "size: 1288490188\nfiles: 202599\nstage: prepare\n"
    )


def test_an_executable_file_says_so_and_no_other_does() -> None:
    assert b"executable: true\n" in render(Pointer("run.sh", "file", DIGEST, 1, executable=True))
    assert b"executable" not in TEXT


def test_comments_and_unknown_keys_survive_a_rewrite() -> None:
    previous = (
        b"# labelled by hand, see notes\n\n"
        + render(TREE).replace(b"size:", b"size:   ")
        + b"owner: ana   # ask her first\nlicence:\n  name: CC-BY\n  years: [2024, 2025]\n# end\n"
    )
    changed = Pointer("images", "tree", Digest.of(b"y"), 7, 1)
    data = render(changed, previous)
    assert parse(data) == changed
    for kept in (b"# labelled by hand", b"owner: ana   # ask her first", b"  years: [2024, 2025]", b"# end"):
        assert kept in data
    assert b"stage" not in data


def test_rewriting_an_equal_pointer_changes_no_byte() -> None:
    previous = b"# mine\n" + render(TREE) + b"note: x # y\n"
    assert render(TREE, previous) == previous


@pytest.mark.parametrize(
    "previous",
    [
        b"",
        b"\xff\xfe",
        b"<<<<<<< ours\n",
        b"tally: 1\npath",
        b"[1, 2]\n",
        b"---\n" + TEXT + b"...\n",
        b"x" * 70_000,
    ],
)
def test_what_stood_there_before_never_stops_a_write(previous: bytes) -> None:
    assert parse(render(TREE, previous)) == TREE


def test_unknown_keys_of_a_pointer_in_braces_survive() -> None:
    data = render(FILE, b"{tally: 1, path: old, owner: ana}\n")
    assert parse(data) == FILE
    assert yaml.safe_load(data)["owner"] == "ana"


def test_the_quick_way_and_the_slow_way_read_the_same() -> None:
    for pointer in (FILE, TREE, Pointer("1e3", "file", DIGEST, 0), Pointer("no", "file", DIGEST, 0)):
        assert parse(render(pointer)) == parse(b"# slow\n" + render(pointer)) == pointer


def conflict() -> bytes:
    other = render(Pointer("labels.csv", "file", Digest.of(b"y"), 13))
    return b"<<<<<<< HEAD\n" + TEXT + b"=======\n" + other + b">>>>>>> theirs\n"


BROKEN = {
    "empty": (b"", "empty"),
    "blank": (b" \n\n", "empty"),
    "conflict": (conflict(), "merge conflict"),
    "later": (TEXT.replace(b"tally: 1", b"tally: 2"), "later version"),
    "version text": (TEXT.replace(b"tally: 1", b"tally: one"), "version"),
    "version zero": (TEXT.replace(b"tally: 1", b"tally: 0"), "version"),
    "version true": (TEXT.replace(b"tally: 1", b"tally: true"), "version"),
    "no version": (TEXT.replace(b"tally: 1\n", b""), "`tally: 1` is missing"),
    "absolute": (TEXT.replace(b"labels.csv", b"/etc/passwd"), "single name"),
    "up": (TEXT.replace(b"labels.csv", b'".."'), "unsafe path"),
    "slash": (TEXT.replace(b"labels.csv", b"a/b"), "single name"),
    "git": (TEXT.replace(b"labels.csv", b".GIT"), "belongs to git"),
    "nul": (TEXT.replace(b"labels.csv", b'"a\\0b"'), "NUL"),
    "no path": (TEXT.replace(b"path: labels.csv\n", b""), "`path` is missing"),
    "path number": (TEXT.replace(b"labels.csv", b"12"), "must be a text"),
    "short digest": (TEXT.replace(str(DIGEST).encode(), str(DIGEST)[:-1].encode()), "digest"),
    "upper digest": (
        TEXT.replace(str(DIGEST).encode(), b"blake3:" + str(DIGEST)[7:].upper().encode()),
        "digest",
    ),
    "other algorithm": (TEXT.replace(b"blake3:", b"md5:"), "algorithm"),
    "negative": (TEXT.replace(b"size: 12", b"size: -12"), "size"),
    "fraction": (TEXT.replace(b"size: 12", b"size: 1.5"), "size"),
    "huge": (TEXT.replace(b"size: 12", b"size: " + b"9" * 30), "size"),
    "kind": (TEXT.replace(b"kind: file", b"kind: folder"), "kind"),
    "file with files": (TEXT + b"files: 3\n", "trees only"),
    "tree without files": (TEXT.replace(b"kind: file", b"kind: tree"), "`files` is missing"),
    "tree executable": (render(TREE) + b"executable: true\n", "files only"),
    "duplicate": (TEXT + b"size: 13\n", "twice"),
    "tag": (TEXT.replace(b"size: 12", b"size: !!int 12"), "tag"),
    "anchor": (TEXT.replace(b"size: 12", b"size: &a 12"), "anchor"),
    "stage": (TEXT + b'stage: "a\\nb"\n', "control"),
    "list": (b"- 1\n", "not a pointer"),
    "text": (b"hello\n", "not a pointer"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8"),
    "large": (TEXT + b"#" * (64 << 10), "larger"),
}


@pytest.mark.parametrize(("data", "complaint"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_pointer_is_refused_by_name(data: bytes, complaint: str) -> None:
    start = time.process_time()
    with pytest.raises(BadRecord, match=complaint) as caught:
        parse(data, "data/labels.csv.tally")
    assert str(caught.value).startswith("data/labels.csv.tally")
    assert time.process_time() - start < 0.05


@pytest.mark.parametrize("length", range(len(TEXT)))
def test_a_truncated_pointer_is_refused_wherever_it_ends(length: int) -> None:
    with pytest.raises(BadRecord):
        parse(TEXT[:length], "x.tally")


def test_a_conflict_names_its_line_and_the_way_out() -> None:
    with pytest.raises(BadRecord) as caught:
        parse(b"# a\n" + conflict(), "x.tally")
    assert caught.value.line == 2
    assert "git checkout --ours" in str(caught.value.hint)


def test_a_name_that_is_not_text_cannot_be_written() -> None:
    with pytest.raises(BadRecord, match="not Unicode"):
        render(Pointer("a\udcff", "file", DIGEST, 1))


@relaxed
@given(st.binary(max_size=300))
def test_any_bytes_after_a_sound_start_are_read_or_refused(tail: bytes) -> None:
    for data in (tail, TEXT + tail, TEXT[:60] + tail):
        with suppress(BadRecord):
            parse(data, "x")

"""Files in columns: the same answers as a list of them would give."""

from collections.abc import Sequence
from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.worktree.columns import LATEST, Files, Found, Identities, Identity

TIMES = st.integers(-(2**63), LATEST)
FOUND = st.builds(
    Found,
    st.binary(max_size=6).filter(lambda path: b"\0" not in path),
    st.sampled_from("fxld"),
    st.integers(0, LATEST),
    TIMES,
    TIMES,
    st.integers(0, 2**64 - 1),
)
FOLDERS = st.lists(FOUND, unique_by=lambda found: found.path, max_size=12)
some = settings(max_examples=40, deadline=None)
NAMED = st.lists(st.sampled_from("abcdefghijkl"), unique=True).map(sorted)


def named(names: Sequence[str], size: int = 1) -> Files:
    return Files.of(Found(name.encode(), "f", size, 2, 3, 4) for name in names)


def who(name: bytes) -> Identity:
    digest = Digest.of(name)
    return Identity(digest, digest[:16])


@some
@given(FOLDERS)
def test_what_goes_in_comes_out_in_the_order_of_the_paths(found: list[Found]) -> None:
    files = Files.of(found)
    assert (list(files), len(files)) == (found, len(found))
    files.sort()
    assert list(files) == sorted(found)
    assert [files[row] for row in range(len(files))] == sorted(found)


@some
@given(FOLDERS.map(sorted), st.data())
def test_a_choice_of_rows_is_a_list_of_its_own(found: list[Found], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.sampled_from(range(len(found))))) if found else []
    files = Files.of(found)
    chosen = files.select(rows)
    chosen.append(Found(b"\xff\xff", "f", 0, 0, 0, 0))
    assert list(chosen)[:-1] == [found[row] for row in rows]
    assert list(files[1:3]) == found[1:3]
    assert list(files) == found


@some
@given(FOLDERS, FOLDERS, st.integers(0, 12), st.integers(0, 12))
def test_rows_of_others_are_taken_in_behind_the_own(
    ours: list[Found], theirs: list[Found], start: int, end: int
) -> None:
    files = Files.of(ours)
    files.extend(Files.of(theirs), start, end)
    assert list(files) == ours + theirs[start:end]


@some
@given(FOLDERS.map(sorted))
def test_files_read_from_their_bytes_are_the_same(found: list[Found]) -> None:
    files = Files.of(found)
    data = memoryview(b"".join(files.to_bytes()))
    read = Files.from_bytes(data, len(found), files.joined)
    assert files.are(read)
    assert list(read) == found
    rows = b"".join(pack("<qqqQ", *one[2:]) for one in found)
    assert Files.of_rows(files.joined, bytes(files.modes), rows) == files


@some
@given(FOLDERS.map(sorted), st.sampled_from(Found._fields), st.data())
def test_files_are_others_as_soon_as_one_thing_is_said_otherwise(
    found: list[Found], field: str, data: st.DataObject
) -> None:
    other = list(found)
    if found:
        row = data.draw(st.sampled_from(range(len(found))))
        other[row] = found[row]._replace(**{field: getattr(data.draw(FOUND), field)})
    assert Files.of(found).are(Files.of(other)) == (found == other)
    assert not Files.of([*found, Found(b"\xff\xff", "f", 0, 0, 0, 0)]).are(Files.of(found))


@pytest.mark.parametrize("field", ["mtime", "ctime"])
def test_a_time_that_no_column_holds_counts_as_the_latest(field: str) -> None:
    late = Found(b"a", "f", 1, 2, 3, 4)._replace(**{field: 2**70})
    assert Files.of([late]).newest == LATEST
    assert Files().newest < 0


@some
@given(NAMED, NAMED)
def test_files_that_are_here_and_there_are_found_in_runs(here: list[str], there: list[str]) -> None:
    ours, theirs = named(here), named(there, size=9)
    runs = list(ours.matches(theirs))
    pairs = [(one + step, other + step) for one, other, count in runs for step in range(count)]
    assert [here[one] for one, _ in pairs] == sorted({*here} & {*there})
    assert all(here[one] == there[other] for one, other in pairs)


def test_a_long_run_that_is_cut_once_is_two() -> None:
    names = [f"{number:06}" for number in range(20_000)]
    missing = names[:12_345] + names[12_346:]
    assert list(named(names).matches(named(missing))) == [(0, 0, 12_345), (12_346, 12_345, 7_654)]


@some
@given(NAMED, NAMED)
def test_who_is_told_is_known_and_nobody_else(every: list[str], told: list[str]) -> None:
    files = named(every)
    identities = Identities.of(files, {name.encode(): who(name.encode()) for name in told})
    both = [name.encode() for name in sorted({*every} & {*told})]
    assert (list(identities), len(identities)) == (both, len(both))
    assert {path: identities[path] for path in reversed(both)} == {path: who(path) for path in both}
    assert identities.contents() == {who(path).digest for path in both}
    for absent in {*"abcdefghijkl", "zz"} - {path.decode() for path in both}:
        with pytest.raises(KeyError):
            identities[absent.encode()]


@some
@given(NAMED.filter(bool), st.data())
def test_a_run_is_taken_over_as_it_is_known_there(names: list[str], data: st.DataObject) -> None:
    files = named(names)
    known = data.draw(st.lists(st.sampled_from(names), unique=True))
    there = Identities.of(files, {name.encode(): who(name.encode()) for name in known})
    first, end = sorted(data.draw(st.tuples(*[st.integers(0, len(names))] * 2)))
    here = Identities(files)
    here.take(first, there, first, end - first)
    assert list(here) == [name.encode() for name in names[first:end] if name in known]
    assert all(here[path] == there[path] for path in here)


def test_the_identities_of_all_come_in_columns() -> None:
    files = named("abc")
    told = [who(path) for path in files.paths]
    columns = b"".join(one.digest for one in told), b"".join(one.fingerprint for one in told)
    identities = Identities.of_all(files, *columns)
    assert [identities.at(row) for row in range(3)] == told
    assert identities == dict(zip(files.paths, told, strict=True))
    assert all(one < other for one, other in pairwise(identities))

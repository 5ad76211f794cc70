"""The index format, and several indexes seen as one."""

import random
import struct
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.store import assembling
from tallystick.store.assembling import Draft, assemble, build
from tallystick.store.catalogue import Catalogue
from tallystick.store.index import Index, PackName, Place, Recipe
from tallystick.store.pack import RAW, ZSTD, Entry, table


def name(text: object) -> Digest:
    return Digest.of(str(text).encode())


PACK, OTHER = PackName(name("pack"), 1000), PackName(name("other"), 500)


def entries(*texts: object) -> list[Entry]:
    return [Entry(name(text), 8 + 10 * at, 10, 10, RAW) for at, text in enumerate(texts)]


def present(*packs: PackName) -> Catalogue:
    catalogue = Catalogue()
    data = build([(PACK, entries(1, 2, 3)), (OTHER, entries(4, 5))], {})
    catalogue.add(Index(data), packs.__contains__)
    return catalogue


@pytest.mark.parametrize("taken", [0, 2, 4])
@pytest.mark.parametrize("shared", [False, True])
def test_an_index_that_was_begun_before_its_packs_had_names_is_the_same(taken: int, shared: bool) -> None:
    tables = [table(entries(*range(at * 10, at * 10 + 9 + 4 * shared))) for at in range(4)]
    draft = Draft(tables[:taken])
    packs = [(PackName(name(f"pack {at}"), 1000), rows) for at, rows in enumerate(tables)]
    recipes = {name("f"): Recipe(3, ((name("c"), 3),))}
    assert draft.finish(packs[::-1], recipes) == assemble(packs, recipes)


def test_a_pack_that_was_taken_into_an_index_and_not_sent_is_not_in_it() -> None:
    one, two = table(entries(1, 2)), table(entries(3))
    draft = Draft([one, two])
    assert draft.finish([(PACK, one)], {}) == assemble([(PACK, one)], {})


def test_the_test_vector_of_the_format_is_written() -> None:
    first = Entry(name("a"), 8, 5, 9, ZSTD)
    recipe = Recipe(12, ((name("a"), 9), (name("b"), 3)))
    data = build([(PACK, [first, Entry(name("b"), 13, 3, 3, RAW)])], {name("ab"): recipe})
    assert Digest.of(data).hex() == "788425d93df3c117978b2fdba0d30208984d3fba59a60e738ca26aa144eab27b"
    index = Index(data)
    assert dict(index.places([(name("a"), index.find(name("a")))])) == {
        name("a"): Place(PACK.digest, 8, 5, 9, ZSTD)
    }
    assert index.recipe(name("ab")) == recipe
    assert list(index.recipes()) == [name("ab")]


def test_equal_contents_give_equal_bytes_in_whatever_order() -> None:
    one = build([(PACK, entries(1, 2)), (OTHER, entries(3))], {})
    assert one == build([(OTHER, entries(3)), (PACK, entries(1, 2))], {})


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_every_blob_is_found_and_no_other(count: int) -> None:
    data = build([(PackName(name("p"), 1 << 20), entries(*range(count)))], {})
    for wanted in range(count):
        assert Index(data).find(name(wanted)) >= 0
    assert Index(data).find(name("other")) == -1
    many = {name(number) for number in range(count + 50)}
    assert len(dict(Index(data).rows(many))) == count
    assert len(dict(Index(data).rows([name(0)]))) == min(count, 1)


def test_what_lies_in_packs_that_are_gone_is_missing() -> None:
    everything = {name(number) for number in range(6)}
    assert present().known(everything) == set()
    assert present(PACK).known(everything) == {name(1), name(2), name(3)}
    assert present(PACK, OTHER).known(everything) == {name(number) for number in range(1, 6)}
    assert name(1) in present(PACK)
    assert name(4) not in present(PACK)
    assert present(PACK).place(name(4)) is None


def test_a_blob_in_two_packs_is_found_in_the_one_that_is_left() -> None:
    catalogue = Catalogue()
    for pack in (PACK, OTHER):
        catalogue.add(Index(build([(pack, entries("x"))], {})), lambda found: found == OTHER)
    assert dict(catalogue.places({name("x")})) == {name("x"): Place(OTHER.digest, 8, 10, 10, RAW)}


def test_a_recipe_counts_only_while_all_its_chunks_are_there() -> None:
    recipe = Recipe(20, ((name(1), 10), (name(4), 10)))
    data = build([(PACK, entries(1)), (OTHER, entries(4))], {name("file"): recipe})
    for packs, expected in (((PACK, OTHER), recipe), ((PACK,), None), ((OTHER,), None)):
        catalogue = Catalogue()
        catalogue.add(Index(data), packs.__contains__)
        assert catalogue.recipe(name("file")) == expected
        assert dict(catalogue.recipes([name("file")])) == ({name("file"): recipe} if expected else {})


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_an_index_cut_off_anywhere_is_refused(length: int) -> None:
    data = build([(PACK, entries(*range(20)))], {name("f"): Recipe(3, ((name("c"), 3),))})
    with pytest.raises(BadRecord):
        Index(data[: length % len(data)], "x.idx")


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_anything_else_is_no_index(data: bytes) -> None:
    with pytest.raises(BadRecord):
        Index(data)


def test_a_later_version_is_named_as_such() -> None:
    data = bytearray(build([], {}))
    data[7] = 2
    with pytest.raises(BadRecord, match="not known to this version"):
        Index(bytes(data))


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_damaged_index_gives_wrong_places_or_none_but_nothing_worse(source: random.Random) -> None:
    recipe = Recipe(20, ((name(1), 10), (name(2), 10)))
    data = bytearray(build([(PACK, entries(*range(8)))], {name("f"): recipe}))
    for _ in range(3):
        data[source.randrange(24, len(data))] = source.randrange(256)
    index = Index(bytes(data))
    try:
        for _, place in index.places(list(index.rows({name(number) for number in range(8)}))):
            assert place.stored <= place.size <= 16 << 20
        index.recipe(name("f"))
    except BadRecord:
        pass


def test_a_place_outside_of_its_pack_is_refused() -> None:
    data = build([(PackName(name("p"), 20), entries(1, 2))], {})
    index = Index(data, "x.idx")
    with pytest.raises(BadRecord, match=r"x\.idx"):
        list(index.places(list(index.rows([name(1), name(2)]))))


def test_a_recipe_that_points_past_the_end_is_refused() -> None:
    data = bytearray(build([], {name("f"): Recipe(3, ((name("c"), 3),))}))
    at = len(data) - 36 - 4
    struct.pack_into("<I", data, at, 1 << 30)
    with pytest.raises(BadRecord):
        Index(bytes(data)).recipe(name("f"))


# Few first words, so that many digests have one in common.
NAMES = st.builds(
    lambda start, end: Digest(start * 8 + end),
    st.sampled_from([b"\0", b"a", b"\xff"]),
    st.binary(min_size=24, max_size=24),
)
TABLES = st.lists(st.lists(NAMES, max_size=30, unique=True), max_size=5)


def packed(tables: list[list[Digest]]) -> list[tuple[PackName, list[Entry]]]:
    """Packs that hold these blobs; sizes tell which pack a place is in."""
    return [
        (
            PackName(name(f"pack {at}"), 1 << 20),
            [Entry(digest, 8 + row, at + 1, at + 1, RAW) for row, digest in enumerate(table)],
        )
        for at, table in enumerate(tables)
    ]


def naive(tables: list[list[Digest]]) -> dict[Digest, Place]:
    """Where each blob lies, one by one: of two places the one in the pack of the lesser digest."""
    places: dict[Digest, Place] = {}
    for pack, rows in sorted(packed(tables)):
        for digest, *numbers in rows:
            places.setdefault(Digest(digest), Place(pack.digest, *numbers))
    return places


@settings(deadline=None)
@given(TABLES)
def test_an_index_that_is_sorted_in_parts_is_the_same(tables: list[list[Digest]]) -> None:
    packs = packed(tables)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(assembling, "_AT_ONCE", 0)
        in_parts = build(packs, {})
    assert in_parts == build(packs, {})


@settings(deadline=None)
@given(TABLES, st.sets(NAMES, max_size=40))
def test_an_index_says_what_a_dictionary_would(tables: list[list[Digest]], others: set[Digest]) -> None:
    index, expected = Index(build(packed(tables), {})), naive(tables)
    assert list(index.digests()) == sorted(expected)
    wanted = others | set(list(expected)[::2])
    for some in (wanted, set(list(wanted)[:1]), set(expected), set[Digest]()):
        known = some & expected.keys()
        assert {digest for digest in some if Index(index._data).find(digest) >= 0} == known
        rows, left = index.hits(some)
        assert list(map(index.digest, rows)) == sorted(known)
        assert left == index.lacking(some) == some - known
        assert list(index.sizes(rows)) == [expected[digest].size for digest in sorted(known)]
        assert [index.packs[number].digest for number in index.numbers(rows)] == [
            expected[digest].pack for digest in sorted(known)
        ]
        assert dict(index.places(index.rows(some))) == {digest: expected[digest] for digest in known}


@settings(deadline=None)
@given(TABLES, TABLES, st.sets(NAMES, max_size=20), st.integers(0, 5))
def test_a_survey_of_several_indexes_counts_each_blob_once(
    one: list[list[Digest]], two: list[list[Digest]], others: set[Digest], gone: int
) -> None:
    catalogue, places = Catalogue(), dict[Digest, Place]()
    missing = name(f"pack {gone}")
    for tables in (one, two):
        catalogue.add(Index(build(packed(tables), {})), lambda pack: pack.digest != missing)
        for digest, place in naive(tables).items():
            if place.pack != missing:
                places.setdefault(digest, place)
    wanted = others | set(list(places)[::3])
    survey, known = catalogue.survey(wanted), wanted & places.keys()
    assert survey.lacking == catalogue.lacking(wanted) == wanted - known
    assert survey.size == sum(places[digest].size for digest in known)
    counted = survey.packs()
    assert {pack.digest: count for pack, count in counted.items()} == Counter(
        places[digest].pack for digest in known
    )
    some = set(list(counted)[:1])
    assert survey.outside(some) == {
        digest for digest in known if places[digest].pack not in {pack.digest for pack in some}
    }

import posixpath

from hypothesis import given
from hypothesis import strategies as st

from tallystick.tracing.accesses import MOST, Access, Scope, Undeclared, noted, undeclared

ROOT = "/home/ada/project"
NAMES = st.sampled_from(["a", "b", "data", "src", "x.py", "y.csv", "model"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
ACCESSES = st.lists(st.builds(Access, PATHS.map(f"{ROOT}/".__add__), st.booleans()), max_size=30)
DECLARED = st.lists(PATHS, max_size=4).map(tuple)


def judged(*accesses: Access, gone: tuple[str, ...] = (), **scope: tuple[str, ...]) -> Undeclared:
    return undeclared(accesses, Scope(ROOT, **scope), lambda path: path not in gone)


def read(path: str) -> Access:
    return Access(posixpath.join(ROOT, path))


def written(path: str) -> Access:
    return Access(posixpath.join(ROOT, path), write=True)


def test_a_file_that_nothing_declares_is_named() -> None:
    assert judged(read("src/features.py"), reads=("src/train.py",)).reads == ("src/features.py",)


def test_what_lies_in_a_declared_folder_is_declared() -> None:
    assert judged(read("data/a/b.csv"), reads=("data",)) == Undeclared()


def test_a_name_that_only_begins_like_a_declared_folder_is_not() -> None:
    assert judged(read("database.csv"), reads=("data",)).reads == ("database.csv",)


def test_what_lies_outside_of_the_project_is_nobodys_business() -> None:
    assert judged(Access("/etc/passwd"), Access("/home/ada/projects/x"), Access(ROOT)) == Undeclared()


def test_a_way_around_leads_to_the_same_file() -> None:
    assert judged(Access(f"{ROOT}/src/../data/./x.csv")).reads == ("data/x.csv",)


def test_a_compiled_module_stands_for_its_source() -> None:
    assert judged(read("src/__pycache__/features.cpython-312.opt-1.pyc")).reads == ("src/features.py",)


def test_writing_a_compiled_module_is_no_write() -> None:
    assert judged(written("src/__pycache__/features.cpython-312.pyc.1234")) == Undeclared()


def test_what_belongs_to_git_and_to_us_is_left_out() -> None:
    paths = (".git/HEAD", "sub/.git", ".gitignore", "tally.yaml", "x.csv.tally", ".tallyconfig")
    assert judged(*map(read, paths)) == Undeclared()


def test_what_a_run_wrote_and_then_read_is_a_write_only() -> None:
    found = judged(written("cache.bin"), read("cache.bin"))
    assert found == Undeclared(writes=("cache.bin",))


def test_what_a_run_read_and_then_wrote_is_both() -> None:
    found = judged(read("state.bin"), written("state.bin"))
    assert found == Undeclared(reads=("state.bin",), writes=("state.bin",))


def test_reading_an_out_is_declared_and_writing_a_dep_is_not() -> None:
    found = judged(read("model"), written("data/x"), reads=("data",), makes=("model",))
    assert found == Undeclared(writes=("data/x",))


def test_a_file_that_is_gone_at_the_end_is_left_out() -> None:
    assert judged(written("tmp.bin"), read("tmp.bin"), gone=("tmp.bin",)) == Undeclared()


def test_more_than_can_be_listed_are_counted() -> None:
    found = judged(*(read(f"data/{number:05}") for number in range(MOST + 7)))
    assert len(found.reads) == MOST
    assert found.more == 7


@given(ACCESSES, DECLARED, DECLARED)
def test_nothing_declared_is_ever_named(
    accesses: list[Access], reads: tuple[str, ...], makes: tuple[str, ...]
) -> None:
    found = undeclared(accesses, Scope(ROOT, reads=reads, makes=makes), lambda _: True)
    for paths, declared in ((found.reads, reads + makes), (found.writes, makes)):
        assert not [path for path in paths if any(f"{path}/".startswith(f"{one}/") for one in declared)]


@given(ACCESSES, DECLARED, DECLARED)
def test_everything_else_that_was_touched_is_named(
    accesses: list[Access], reads: tuple[str, ...], makes: tuple[str, ...]
) -> None:
    found = undeclared(accesses, Scope(ROOT, reads=reads, makes=makes), lambda _: True)
    named = {*found.reads, *found.writes, *reads, *makes}
    for access in accesses:
        path = access.path.removeprefix(f"{ROOT}/")
        assert any(f"{path}/".startswith(f"{one}/") for one in named)


@given(ACCESSES)
def test_declaring_what_was_found_leaves_nothing_to_find(accesses: list[Access]) -> None:
    first = undeclared(accesses, Scope(ROOT), lambda _: True)
    scope = Scope(ROOT, reads=first.reads, makes=first.writes)
    assert undeclared(accesses, scope, lambda _: True) == Undeclared()


def test_notes_of_several_processes_are_put_into_the_order_of_time() -> None:
    files = [b"30 R /p/a\0" + b"50 W /p/b c\0", b"40 R /p/d\0" + b"60 R /p/cut o"]
    assert list(noted(files)) == [Access("/p/a"), Access("/p/d"), Access("/p/b c", write=True)]

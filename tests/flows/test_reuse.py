"""`tally run` takes over what was made from the same inputs before: in this clone, on a branch, by others."""

from pathlib import Path

import pytest

from tallystick.digest import Digest
from tests.flows.conftest import Stages
from tests.sandbox import Repo, Tally

COUNTED = """\
stages:
  one:
    cmd: "echo ran >> ../count.txt; cp in.txt one.txt; wc -c < in.txt > n; echo '{\\"n\\": 1}' > m.json"
    deps: [in.txt]
    outs: [one.txt, {n: {cache: false}}]
    metrics: [m.json]
"""


class Counted(Stages):
    """A project with one stage that counts how often it runs."""

    def times(self) -> int:
        """Return how often the command has run."""
        return len((self.repo.path.parent / "count.txt").read_text().splitlines())

    def with_input(self, text: str, *args: str) -> str:
        """Run with this input, and return what became of the stage."""
        self.repo.write("in.txt", text)
        return self.states(*args)["one"]


@pytest.fixture
def counted(bare: Stages) -> Counted:
    """Return a project that ran with two inputs, the second one last."""
    stages = Counted(bare.repo, bare.tally)
    stages.pipeline(COUNTED)
    assert stages.with_input("a\n") == "succeeded"
    assert stages.with_input("bb\n") == "succeeded"
    return stages


def test_what_was_made_from_the_same_inputs_is_taken_over(counted: Counted) -> None:
    earlier = counted.runs()[1]["run"]
    assert counted.with_input("a\n") == "reused"
    assert counted.times() == 2
    assert counted.repo.read("one.txt") == b"a\n"
    assert counted.repo.read("n").split() == [b"2"]
    assert str(Digest.of(counted.repo.read("receipts/one.json"))) == earlier
    assert counted.states() == {"one": "up to date"}
    assert counted.tally("status").out.count("stale") == 0
    assert len(counted.runs()) == 2


def test_a_run_that_was_taken_over_is_told_with_its_maker(counted: Counted) -> None:
    counted.repo.write("in.txt", "a\n")
    shown = counted.tally("run").out
    assert "one: reused run " in shown
    assert " ago by Ada Lovelace\n" in shown


@pytest.mark.parametrize("option", ["--no-reuse", "--force"])
def test_nothing_is_taken_over_where_that_is_not_wanted(counted: Counted, option: str) -> None:
    assert counted.with_input("a\n", option) == "succeeded"
    assert counted.times() == 3


def test_a_stage_that_always_runs_is_never_taken_over(counted: Counted) -> None:
    counted.pipeline(COUNTED + "    always_changed: true\n")
    assert counted.with_input("a\n") == "succeeded"


@pytest.mark.parametrize(
    "change", ["    seed: 1\n", "    variables: [HOME]\n", "    params: [{p.json: [x]}]\n"]
)
def test_another_recipe_is_another_run(counted: Counted, change: str) -> None:
    counted.repo.write("p.json", '{"x": 1}')
    counted.pipeline(COUNTED + change)
    assert counted.with_input("a\n") == "succeeded"


def test_a_missing_out_comes_back_without_running(counted: Counted) -> None:
    (counted.repo.path / "one.txt").unlink()
    assert counted.states() == {"one": "reused"}
    assert counted.repo.read("one.txt") == b"bb\n"


def test_an_edited_out_is_stored_before_another_takes_its_place(counted: Counted) -> None:
    counted.repo.write("one.txt", "by hand")
    assert counted.states() == {"one": "reused"}
    stored = counted.repo.path / ".git/tally"
    packs = b"".join(path.read_bytes() for path in stored.glob("packs/*.pack"))
    assert b"by hand" in packs


def test_a_run_whose_deps_changed_meanwhile_is_not_taken_over(bare: Stages) -> None:
    stages = Counted(bare.repo, bare.tally)
    stages.pipeline(COUNTED.replace("cp in.txt", "echo c > in.txt; cp in.txt"))
    assert stages.with_input("a\n") == "succeeded"
    assert stages.with_input("a\n") == "succeeded"


def test_a_failed_run_is_not_taken_over(bare: Stages) -> None:
    stages = Counted(bare.repo, bare.tally)
    stages.pipeline(COUNTED.replace("cp in.txt", "test -e ../good && cp in.txt"))
    stages.repo.write("in.txt", "a\n")
    stages.tally("run", code=18)
    (stages.repo.path.parent / "good").touch()
    assert stages.states() == {"one": "succeeded"}


def test_outs_that_nobody_has_any_more_are_made_again(counted: Counted) -> None:
    for pack in (counted.repo.path / ".git/tally/packs").iterdir():
        pack.unlink()
    counted.repo.write("in.txt", "a\n")
    ran = counted.tally("run")
    assert "can't be reused: " in ran.err
    assert "one: succeeded" in ran.out
    assert counted.times() == 3


def test_without_its_index_the_ledger_is_read_again(counted: Counted) -> None:
    index = counted.repo.path / ".git/tally/recipes"
    newer = index.with_name("recipes.new")
    damages = (None, b"", b"tally recipes 3\nnonsense\n", index.read_bytes()[:-1])
    for place, broken in [(place, broken) for place in (index, newer) for broken in damages]:
        place.unlink(missing_ok=True)
        if broken is not None:
            place.write_bytes(broken)
        text = "a\n" if counted.repo.read("in.txt") == b"bb\n" else "bb\n"
        assert counted.with_input(text) == "reused"


def test_a_receipt_of_the_ledger_that_was_edited_is_never_taken_over(counted: Counted) -> None:
    earlier = counted.runs()[1]["run"].removeprefix("blake3:")
    git, path = counted.repo.git, f"runs/{earlier[:2]}/{earlier}/receipt.json"
    text = git("cat-file", "blob", f"refs/tally/ledger:{path}") + "\n"
    forged = text.replace('"seconds": 0', '"seconds": 9')
    stream = "commit refs/tally/ledger\ncommitter A <a> 0 +0000\ndata 1\nx\nfrom refs/tally/ledger^0\n"
    stream += f"M 100644 inline {path}\ndata {len(forged)}\n{forged}\n"
    counted.repo.write(".git/stream", stream)
    git("-c", "alias.feed=!git fast-import --quiet < .git/stream", "feed")
    assert "does not hash to its id" in counted.tally("log").out
    assert counted.with_input("a\n") == "succeeded"


def test_a_colleagues_run_is_taken_over(counted: Counted, tmp_path: Path, remote: Path) -> None:
    hub = tmp_path / "hub.git"
    counted.repo.git("init", "--quiet", "--bare", str(hub))
    counted.repo.git("remote", "add", "origin", str(hub))
    counted.repo.commit("The second input")
    counted.repo.git("push", "--quiet", "origin", "main")
    counted.tally("push")
    colleague = Counted(Repo(tmp_path / "other" / "clone"), Tally(tmp_path / "other" / "clone"))
    (tmp_path / "other").mkdir()
    counted.repo.git("clone", "--quiet", str(hub), str(colleague.repo.path))
    colleague.tally("pull")
    (colleague.repo.path / "receipts/one.json").unlink()
    for name in ("one.txt", "n", "m.json"):
        (colleague.repo.path / name).unlink()
    ran = colleague.tally("run", "--trust")
    assert "one: reused run" in ran.out
    assert colleague.repo.read("one.txt") == b"bb\n"
    assert colleague.repo.read("m.json") == b'{"n": 1}\n'
    assert not (tmp_path / "other" / "count.txt").exists()


def test_what_a_run_read_undeclared_has_to_be_the_same_for_it_to_be_reused(bare: Stages) -> None:
    bare.repo.write("lib.py", "VALUE = 9\n")
    bare.repo.write("score.py", "import lib\nopen('out', 'w').write(str(lib.VALUE))\n")
    bare.pipeline("stages: {score: {cmd: python score.py, deps: [score.py, n], outs: [out]}}")
    for number in (1, 2):
        bare.repo.write("n", str(number))
        bare.tally("run")
    bare.repo.write("n", "1")
    assert bare.states() == {"score": "reused"}
    bare.repo.write("n", "2")
    bare.repo.write("lib.py", "VALUE = 3\n")
    assert bare.states() == {"score": "succeeded"}
    assert bare.repo.read("out") == b"3"

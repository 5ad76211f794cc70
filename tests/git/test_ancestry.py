"""How commits follow each other, and which of them halves what lies between two."""

from tallystick.git.ancestry import halving, is_shallow, leads_to, merge_base
from tallystick.git.plumbing import Git
from tests.sandbox import Repo


def test_the_commit_that_halves_the_rest_comes_first_and_the_bad_one_is_among_them(repo: Repo) -> None:
    git = Git.discover(repo.path)
    good, *rest = [repo.commit(f"{number}") for number in range(8)]
    found = halving(git, rest[-1], [good], first_parent=False)
    assert sorted(found) == sorted(rest)
    assert found[0] in rest[2:4]
    assert halving(git, rest[-1], [rest[-2]], first_parent=False) == [rest[-1]]
    assert halving(git, good, [rest[-1]], first_parent=False) == []


def test_of_merges_both_sides_count_or_the_first_parent_alone(repo: Repo) -> None:
    git = Git.discover(repo.path)
    good = repo.commit("good")
    repo.git("checkout", "-q", "-b", "side")
    side = repo.commit("side")
    repo.git("checkout", "-q", "main")
    repo.commit("main")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    head = repo.git("rev-parse", "HEAD")
    assert side in halving(git, head, [good], first_parent=False)
    assert side not in halving(git, head, [good], first_parent=True)
    assert leads_to(git, side, head)
    assert not leads_to(git, head, side)
    assert merge_base(git, side, head) == side
    assert not is_shallow(git)

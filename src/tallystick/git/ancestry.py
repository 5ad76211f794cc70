"""How commits follow each other, and which of them halves what lies between two."""

from collections.abc import Sequence

from tallystick.git.command import Command, not_an_option


def leads_to(git: Command, earlier: str, later: str) -> bool:
    """Whether a commit is an ancestor of another one, or the same."""
    done = git.run("merge-base", "--is-ancestor", earlier, later, check=False)
    return done.exit_code == 0


def merge_base(git: Command, one: str, other: str) -> str | None:
    """The best commit that both come from; None if there is none."""
    return git.text("merge-base", one, other)


def is_shallow(git: Command) -> bool:
    """Whether commits were left out when the repository was cloned."""
    return (git.common / "shallow").is_file()


def halving(git: Command, bad: str, goods: Sequence[str], *, first_parent: bool) -> list[str]:
    """The commits that lead to `bad` and to none of `goods`, `bad` among them.

    First comes the one that splits the rest most evenly, as `git bisect` has it.
    """
    along = ["--first-parent"] if first_parent else []
    hidden = [f"^{not_an_option(good, 'a commit')}" for good in goods]
    words = ("rev-list", "--bisect-all", *along, "--end-of-options", not_an_option(bad, "a commit"))
    return [line.split()[0] for line in git.run(*words, *hidden, "--").text.splitlines()]

from tallystick.git.plumbing import Git
from tests.sandbox import Repo


def listed(repo: Repo, since: str | None = None) -> list[tuple[str, bytes]]:
    git = Git.discover(repo.path)
    files = git.list_history("HEAD", since, ["*.tally"])
    texts = git.read_blobs(file.oid for file in files)
    return sorted((file.path, texts[file.oid]) for file in files)


def test_every_state_of_a_file_is_listed(repo: Repo) -> None:
    repo.write("deep/a.tally", "one")
    repo.write("code.py", "ignored")
    repo.commit()
    repo.write("deep/a.tally", "two")
    repo.commit()
    assert listed(repo) == [("deep/a.tally", b"one"), ("deep/a.tally", b"two")]


def test_only_what_came_after_a_commit_is_listed(repo: Repo) -> None:
    repo.write("a.tally", "one")
    since = repo.commit()
    repo.write("b\n.tally", "two")
    repo.commit()
    assert listed(repo, since) == [("b\n.tally", b"two")]


def test_what_a_merged_branch_brought_is_listed(repo: Repo) -> None:
    repo.git("switch", "--quiet", "-c", "side")
    repo.write("side.tally", "side")
    repo.commit()
    repo.git("switch", "--quiet", "main")
    repo.write("main.tally", "main")
    since = repo.commit()
    repo.git("merge", "--quiet", "--no-edit", "side")
    assert ("side.tally", b"side") in listed(repo, since)

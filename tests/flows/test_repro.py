"""`tally repro`: a past run is rebuilt in isolation, executed again, and judged."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Stages
from tests.sandbox import Tally

NOISY = """\
import json, os, random
noise = float(os.environ.get("NOISE", "0.001"))
json.dump({"accuracy": 0.5 + random.random() * noise, "name": "x"}, open("m.json", "w"))
os.makedirs("plots", exist_ok=True)
with open("plots/loss.csv", "w") as file:
    file.write("step,loss\\n" + "".join(f"{i},{1 / (i + 1) + random.random() * noise}\\n" for i in range(9)))
"""


ELSEWHERE = "2026-01-31T12:00:00Z"
"""When a run began that this repository's ledger doesn't have."""


def judged(stages: Stages, *args: str, code: int = 0, cwd: Path | None = None) -> dict[str, Any]:
    """The verdict's stages by name, with outs by path."""
    ran = stages.tally("repro", "--json", *args, code=code, cwd=cwd)
    return {stage["stage"]: stage for stage in ran.json()["verdict"]["stages"]}


def outcomes(stage: dict[str, Any]) -> dict[str, str]:
    return {each["path"]: each["outcome"] for each in stage["comparisons"]}


@pytest.fixture
def noisy(bare: Stages) -> Stages:
    bare.repo.write("noisy.py", NOISY)
    body = "cmd: python noisy.py, deps: [noisy.py], metrics: [m.json], plots: [plots/loss.csv]"
    bare.pipeline(f"stages: {{noisy: {{{body}}}}}")
    bare.tally("run")
    bare.repo.commit()
    return bare


def test_a_deterministic_run_is_identical(done: Stages) -> None:
    ran = done.tally("repro")
    assert "identical" in ran.out.splitlines()[-1]
    found = judged(done)
    assert outcomes(found["train"]) == {"model.bin": "identical", "metrics.json": "identical"}
    assert outcomes(found["prepare"]) == {"clean": "identical"}


def test_the_users_worktree_and_index_stay_as_they_are(done: Stages) -> None:
    done.repo.write("train.py", "edited, not committed")
    done.repo.write("model.bin", "edited")
    before = done.repo.git("status", "--porcelain", "--ignored"), done.repo.git("write-tree")
    done.tally("repro")
    assert (done.repo.git("status", "--porcelain", "--ignored"), done.repo.git("write-tree")) == before
    assert done.repo.read("model.bin") == b"edited"
    assert len(done.repo.git("worktree", "list").splitlines()) == 1
    assert not [name for name in os.listdir(done.repo.path / ".git/tally/worktrees") if name != "lock"]


def test_a_commit_of_the_past_is_repeated_with_its_own_code_data_and_parameters(done: Stages) -> None:
    done.repo.write("params.json", '{"rate": 0.9}')
    done.repo.write("data/numbers.txt", "1\n2\n")
    done.tally("add", "data")
    done.tally("run")
    done.repo.commit()
    assert judged(done, "HEAD~1")["train"]["outcome"] == "identical"
    assert judged(done, "HEAD")["train"]["outcome"] == "identical"


def test_a_command_that_names_its_own_python_is_said_to_have_used_that(bare: Stages, lean: Path) -> None:
    bare.repo.write("one.py", "import sys; open('out', 'w').write(sys.prefix)")
    bare.tally("run", "-n", "one", "-d", "one.py", "-o", "out", "--", f"{lean}/python", "one.py")
    bare.repo.commit()
    ran = bare.tally("repro")
    assert f"the command names a Python of its own, `{lean}/python`" in ran.out + ran.err


def test_noise_is_a_difference_with_its_size(noisy: Stages) -> None:
    stage = judged(noisy, code=1)["noisy"]
    assert outcomes(stage) == {"m.json": "different", "plots/loss.csv": "different"}
    (metric,) = stage["comparisons"][0]["differences"]
    assert metric["name"] == "accuracy"
    assert 0 < metric["absolute"] < 0.001
    assert [each["name"] for each in stage["comparisons"][1]["differences"]] == ["loss"]


def test_a_tolerance_that_covers_it_is_a_yes_that_shows_the_difference(noisy: Stages) -> None:
    text = noisy.repo.read("tally.yaml").decode()
    noisy.pipeline(
        text.replace(
            "python noisy.py,", "python noisy.py, tolerance: {m.json: 0.01, plots/loss.csv: {loss: 0.01}},"
        )
    )
    noisy.repo.commit("A tolerance, after the run")
    ran = noisy.tally("repro")
    assert "within tolerance" in ran.out
    assert "allowed 0.01" in ran.out


def test_metrics_are_judged_by_value_not_by_layout(bare: Stages) -> None:
    command = 'sh -c \'if [ -e again ]; then echo "{ \\"a\\": 1}"; else echo "{\\"a\\": 1}"; fi > m.json\''
    bare.tally("run", "-n", "a", "-m", "m.json", "--", command)
    bare.repo.write("again", "")
    bare.repo.commit()
    stage = judged(bare)["a"]
    (comparison,) = stage["comparisons"]
    assert (stage["outcome"], comparison["expected"] == comparison["actual"]) == ("identical", False)


def test_one_stage_is_judged_on_its_recorded_inputs(done: Stages) -> None:
    done.repo.write(
        "prepare.py",
        done.repo.read("prepare.py").decode().replace("n * n", "n * n + hash(os.urandom(8)) % 2"),
    )
    done.tally("run")
    done.repo.commit()
    found = judged(done, code=1)
    assert found["prepare"]["outcome"] == "different"
    assert found["train"]["outcome"] == "identical"
    assert "`clean` was not the recorded one" in found["train"]["reason"]
    alone = judged(done, "--stage", "train")
    assert list(alone) == ["train"]
    assert alone["train"]["outcome"] == "identical"


def test_a_run_of_uncommitted_code_is_repeated_from_the_ledger(done: Stages) -> None:
    committed = done.repo.read("train.py").decode()
    done.repo.write("train.py", committed.replace("rate +", "rate * 2 +"))
    done.tally("run")
    run = done.runs()[0]["run"]
    done.repo.git("checkout", "train.py")
    assert judged(done, run.removeprefix("blake3:")[:9])["train"]["outcome"] == "identical"


def test_a_run_that_failed_fails_again(done: Stages) -> None:
    done.repo.write("train.py", "raise SystemExit(3)")
    done.tally("run", code=18)
    stage = judged(done, done.runs()[0]["run"])["train"]
    assert (stage["outcome"], "with exit code 3" in stage["reason"]) == ("identical", True)


def test_a_command_that_fails_now_is_18_and_the_rest_is_named(done: Stages) -> None:
    done.repo.write(
        "prepare.py",
        "import os\nif os.path.exists('trap'): raise SystemExit(5)\n" + done.repo.read("prepare.py").decode(),
    )
    done.tally("run")
    done.repo.write("trap", "")
    done.repo.commit()
    found = judged(done, code=18)
    assert "exit code 5" in found["prepare"]["reason"]
    assert found["train"]["reason"] == "a stage before it could not be repeated"


def test_an_out_that_is_not_made_again_is_missing(bare: Stages) -> None:
    bare.tally("run", "-n", "a", "-o", "o", "--", "test -e trap || echo 1 > o")
    bare.repo.write("trap", "")
    bare.repo.commit()
    assert outcomes(judged(bare, code=1)["a"]) == {"o": "missing"}


def test_a_blob_that_nobody_has_is_13_and_named(done: Stages, tmp_path: Path) -> None:
    clone = done.repo.clone(tmp_path / "clone")
    stage = judged(done, "--trust", code=13, cwd=clone.path)["prepare"]
    assert stage["outcome"] == "could not be rebuilt"
    assert "`data` (blake3:" in stage["reason"]
    assert "the local store" in stage["reason"]


def test_a_fresh_clone_fetches_what_it_needs(done: Stages, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    done.tally("remote", "add", "origin", str(tmp_path / "remote"))
    done.repo.commit()
    done.tally("push")
    clone = done.repo.clone(tmp_path / "clone")
    found = judged(done, "--trust", cwd=clone.path)
    assert {stage["outcome"] for stage in found.values()} == {"identical"}
    assert not (clone.path / "data").exists()


def test_a_clone_repeats_nothing_before_it_is_allowed(done: Stages, tmp_path: Path) -> None:
    clone = done.repo.clone(tmp_path / "clone")
    assert "--trust" in done.tally("repro", cwd=clone.path, code=19).err


def test_a_python_that_is_not_here_is_17_and_named(done: Stages) -> None:
    lock = json.loads(done.repo.read("environment.lock"))
    lock["python"] = "3.1.4"
    text = json.dumps(lock, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    done.repo.write("fake.py", PLANT)
    digest = subprocess.run(
        [sys.executable, "fake.py"],
        cwd=done.repo.path,
        input=text,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    for stage in ("prepare", "train"):
        receipt = done.receipt(stage)
        receipt["environment"] |= {"lock": digest, "digest": digest}
        receipt["started"] = ELSEWHERE
        done.repo.write(f"receipts/{stage}.json", json.dumps(receipt, indent=2, sort_keys=True) + "\n")
    done.repo.write("environment.lock", text)
    done.repo.commit()
    assert "3.1.4" in judged(done, code=17)["prepare"]["reason"]


PLANT = """\
import sys
from collections.abc import Callable
from pathlib import Path
from tallystick.store import LocalStore
with LocalStore(Path(".git/tally")).writer() as writer:
    print(writer.add(sys.stdin.buffer.read()))
"""


def test_undeclared_variables_do_not_reach_the_command(bare: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_SAUCE", "1")
    bare.tally("run", "-n", "a", "-o", "o", "--", 'echo "[$SECRET_SAUCE]" > o')
    bare.repo.commit()
    (comparison,) = judged(bare, code=1)["a"]["comparisons"]
    assert comparison["outcome"] == "different"


def test_recorded_variables_and_seed_come_from_the_receipt(
    bare: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADS", "7")
    bare.tally(
        "run", "-n", "a", "-o", "o", "-e", "THREADS", "--seed", "3", "--", "echo $THREADS $TALLY_SEED > o"
    )
    bare.repo.commit()
    monkeypatch.setenv("THREADS", "8")
    assert judged(bare)["a"]["outcome"] == "identical"


def test_a_verdict_is_kept_and_shown(done: Stages) -> None:
    identity = done.tally("repro", "--json").json()["id"]
    assert done.tally("log", "--verdicts", "--json").json()[0]["verdict"] == identity
    assert "identical" in done.tally("show", identity.removeprefix("blake3:")[:12]).out


def test_the_worktree_is_kept_when_asked_for(done: Stages) -> None:
    kept = Path(done.tally("repro", "--keep", "--json").json()["kept"])
    assert (kept / "model.bin").read_bytes() == done.repo.read("model.bin")
    assert len(done.repo.git("worktree", "list").splitlines()) == 1


def test_without_a_rebuild_the_verdict_says_so(done: Stages) -> None:
    assert "not rebuilt" in done.tally("repro", "--no-rebuild").out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nope"], "git knows no commit `nope`"),
        (["deadbeef"], "no run `deadbeef`"),
        (["HEAD~1"], "holds no receipt"),
        (["--stage", "nope"], "no stage `nope`"),
        (["--upload-pack=x"], ""),
    ],
)
def test_what_can_not_be_meant_is_refused(done: Stages, args: list[str], words: str) -> None:
    ran = done.tally("repro", *args, code=None)
    assert ran.exit_code in (2, 3)
    assert words in ran.err


def test_an_interrupted_run_can_not_be_repeated(done: Stages, tmp_path: Path) -> None:
    started = tmp_path / "started"
    done.repo.write("train.py", f"import time; open('{started}', 'w'); time.sleep(60)")
    assert _interrupted(done.tally, "run", started.exists) == 130
    assert "was interrupted" in done.tally("repro", done.runs()[0]["run"], code=3).err


def test_ctrl_c_leaves_no_worktree_and_no_verdict(bare: Stages) -> None:
    bare.tally("run", "-n", "a", "--", "if [ -e trap ]; then touch started; sleep 60; fi")
    bare.repo.write("trap", "")
    bare.repo.commit()
    # In a worktree that sees nothing of the others: there the command says that it has started.
    worktrees = bare.repo.path / ".git/tally/worktrees"
    assert _interrupted(bare.tally, "repro", lambda: list(worktrees.glob("*/started"))) == 130
    assert len(bare.repo.git("worktree", "list").splitlines()) == 1
    assert bare.tally("log", "--verdicts", "--json").json() == []


def _interrupted(tally: Tally, verb: str, has_started: Callable[[], object]) -> int:
    """Interrupt a verb once its command has started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tallystick", verb],
        cwd=tally.cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not has_started():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    return process.wait(60)


def test_links_in_a_commit_lead_nothing_out_of_the_worktree(done: Stages, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "model.bin").write_text("mine")
    receipt = done.receipt("train")
    receipt["outs"][0]["path"] = "link/model.bin"
    receipt["started"] = ELSEWHERE
    done.repo.write("receipts/train.json", json.dumps(receipt, indent=2, sort_keys=True) + "\n")
    (done.repo.path / "link").symlink_to(precious)
    done.repo.commit()
    assert "link" in done.tally("repro", code=3).err
    assert (precious / "model.bin").read_text() == "mine"


def test_the_name_of_a_stage_is_told_from_a_commit(done: Stages) -> None:
    refused = done.tally("repro", "train", code=3).err
    assert "`train` is a stage, and no commit or run\nhint: tally repro HEAD --stage train" in refused


def test_a_run_whose_dep_changed_meanwhile_is_never_said_to_be_reproduced(bare: Stages) -> None:
    bare.repo.write("in.txt", "1\n")
    bare.pipeline("stages: {a: {cmd: 'cat in.txt > out; echo 2 >> in.txt', deps: [in.txt], outs: [out]}}")
    assert "while `a` ran, so it doesn't count as reproducible" in bare.tally("run").out
    bare.repo.commit("Run")
    said = bare.tally("repro", "--junit", "v.xml", code=1).out
    assert "a: inconclusive" in said
    assert "`in.txt` changed while it ran then: nobody knows which bytes it read" in said
    assert "  out: identical" in said
    assert 'failures="1"' in bare.repo.read("v.xml").decode()
    assert "deps changed while it ran then" in bare.tally("repro", "--all-receipts", code=1).out
    told = bare.tally("log", "--json").json()
    assert told["runs"][0]["changed"] == ["in.txt"]
    short = told["runs"][0]["run"].removeprefix("blake3:")[:12]
    assert told["notes"] == [f"deps changed while these ran, so they don't count as reproducible: {short}"]
    assert "dep `in.txt` changed" in bare.tally("check", code=1).out

"""`tally run`: what is stale runs, everything is written down, nothing is lost."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.store import LocalStore
from tests.flows.conftest import Stages
from tests.sandbox import Repo, Tally


def test_stages_run_in_order_once_and_leave_receipts(stages: Stages) -> None:
    assert stages.states() == {"prepare": "succeeded", "train": "succeeded"}
    assert stages.states() == {"prepare": "up to date", "train": "up to date"}
    assert [run["stage"] for run in stages.runs()] == ["train", "prepare"]


def test_a_receipt_holds_everything_the_run_came_from(stages: Stages) -> None:
    head = stages.repo.git("rev-parse", "HEAD")
    stages.tally("run")
    receipt, prepared = stages.receipt("train"), stages.receipt("prepare")
    assert (receipt["status"], receipt["exit_code"], receipt["seed"]) == ("succeeded", 0, 42)
    assert receipt["params"] == {"params.json": {"rate": 0.5}}
    assert receipt["metrics"]["metrics.json"]["rows"] == 100
    assert [dep["path"] for dep in receipt["deps"]] == ["train.py", "clean"]
    assert [out["path"] for out in receipt["outs"]] == ["model.bin", "metrics.json"]
    assert receipt["produced_by"] == {"clean": str(Digest.of(stages.repo.read("receipts/prepare.json")))}
    assert prepared["code"]["commit"] == head
    assert prepared["code"]["dirty"] is False
    assert receipt["environment"]["lock"] == str(Digest.of(stages.repo.read("environment.lock")))
    assert receipt["author"] == "Ada Lovelace <ada@example.org>"


def test_the_receipt_is_named_by_its_bytes_in_the_ledger(done: Stages) -> None:
    assert done.runs()[0]["run"] == str(Digest.of(done.repo.read("receipts/train.json")))


def test_outs_are_tracked_ignored_and_staged_but_metrics_are_left_to_git(stages: Stages) -> None:
    stages.tally("run")
    staged = stages.repo.git("diff", "--cached", "--name-only").splitlines()
    assert {"model.bin.tally", "clean.tally", "receipts/train.json", "environment.lock", ".gitignore"} <= set(
        staged
    )
    assert b"stage: train" in stages.repo.read("model.bin.tally")
    assert stages.repo.git("status", "--porcelain", "metrics.json") == "?? metrics.json"
    assert stages.repo.git("status", "--porcelain", "model.bin") == ""


@pytest.mark.parametrize(
    ("path", "text", "stale", "reason"),
    [
        ("params.json", '{"rate": 0.7}', ["train"], "param params.json:rate changed: 0.5 -> 0.7"),
        ("train.py", "raise SystemExit\n", ["train"], "dep train.py changed"),
        ("model.bin", "other", ["train"], "out model.bin is not what the stage made"),
        ("data/numbers.txt", "1\n", ["prepare", "train"], "stage prepare comes before it and is stale"),
        ("clean/more.csv", "1\n", ["prepare", "train"], "dep clean changed"),
        ("receipts/train.json", "{}", ["train"], "receipt receipts/train.json can't be read"),
    ],
)
def test_a_change_makes_its_stages_stale_and_says_why(
    done: Stages, path: str, text: str, stale: list[str], reason: str
) -> None:
    done.repo.write(path, text)
    planned = {stage["stage"]: stage["status"] for stage in done.ran("--dry-run")["stages"]}
    assert [name for name, status in planned.items() if status == "would run"] == stale
    assert any(one.startswith(reason) for one in done.reasons("train"))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("seed: 42", "seed: 43", "seed changed: 42 -> 43"),
        ("seed: 42", "desc: no seed", "seed changed: 42 -> not set"),
        ("cmd: python train.py", "cmd: python -B train.py", "command changed"),
        ("[train.py, clean]", "[train.py, clean, prepare.py]", "dep prepare.py is new"),
        ("[train.py, clean]", "[clean]", "dep train.py is no longer one"),
        ("outs: [model.bin]", "outs: [model.bin, extra]", "out extra is new"),
        ("seed: 42", "seed: 42\n    variables: [THREADS]", "variable THREADS is new: not set"),
        ("seed: 42", "seed: 42\n    always_changed: true", "always runs (`always_changed`)"),
    ],
)
def test_a_change_of_the_stage_makes_it_stale(done: Stages, old: str, new: str, reason: str) -> None:
    text = done.repo.read("tally.yaml").decode()
    assert old in text
    done.pipeline(text.replace(old, new))
    assert done.reasons("train") == [reason]
    assert done.reasons("prepare") == []


def test_a_desc_or_another_layout_makes_nothing_stale(done: Stages) -> None:
    done.pipeline(
        "# a remark\n"
        + done.repo.read("tally.yaml").decode().replace("seed: 42", "seed: 42\n    desc: Trains")
    )
    assert done.states() == {"prepare": "up to date", "train": "up to date"}


def test_a_declared_variable_counts_and_is_recorded(done: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    text = done.repo.read("tally.yaml").decode()
    done.pipeline(text.replace("seed: 42", "seed: 42\n    variables: [THREADS]"))
    monkeypatch.setenv("THREADS", "1")
    done.tally("run")
    assert done.receipt("train")["variables"] == {"THREADS": "1"}
    monkeypatch.setenv("THREADS", "2")
    assert done.reasons("train") == ["variable THREADS changed: 1 -> 2"]


def test_a_package_that_came_makes_stages_stale(done: Stages, lean: Path) -> None:
    site = next(lean.parent.glob("lib/*/site-packages"))
    metadata = site / "zeta-1.0.dist-info"
    metadata.mkdir()
    try:
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: zeta\nVersion: 1.0\n")
        (metadata / "RECORD").write_text("")
        assert done.reasons("train")[0] == "package added zeta 1.0"
    finally:
        for file in metadata.iterdir():
            file.unlink()
        metadata.rmdir()


def test_a_frozen_stage_never_runs(done: Stages) -> None:
    done.pipeline(done.repo.read("tally.yaml").decode().replace("seed: 42", "seed: 43\n    frozen: true"))
    assert done.states("--force") == {"prepare": "succeeded", "train": "frozen"}


def test_force_runs_what_is_up_to_date(done: Stages) -> None:
    assert done.states("--force", "prepare") == {"prepare": "succeeded"}


def test_the_command_sees_seed_stage_and_its_folder(bare: Stages) -> None:
    bare.pipeline(
        "stages: {a: {outs: [o], seed: 4294967297, "
        'cmd: "echo $TALLY_SEED $PYTHONHASHSEED $TALLY_STAGE $PWD > o"}}'
    )
    bare.tally("run")
    assert bare.repo.read("o").decode().split() == ["4294967297", "1", "a", str(bare.repo.path)]


def test_a_command_given_as_a_list_meets_no_shell(bare: Stages) -> None:
    bare.pipeline("stages: {a: {cmd: [sh, -c, 'echo \"$0\" > o', '$HOME; x'], outs: [o]}}")
    bare.tally("run")
    assert bare.repo.read("o") == b"$HOME; x\n"


def test_a_list_of_commands_or_of_words_for_a_shell_is_told(bare: Stages) -> None:
    bare.pipeline('stages:\n  a: {cmd: ["echo one", "echo two"]}\n  b: {cmd: [echo, x, ">", y]}\n')
    failed = bare.tally("run", "a", code=18).err
    assert "no program is called `echo one`; a list is one command, word by word" in failed
    assert "note: `>` is a word like any other in a list" in bare.tally("run", "b").out
    bare.pipeline("stages: {c: {cmd: [echo, x, '>', y], outs: [y]}}")
    failed = bare.tally("run", code=18).err
    assert "its command did not write `y`; `>` is a word like any other in a list: for the shell" in failed


def test_output_is_shown_and_kept(stages: Stages) -> None:
    ran = stages.tally("run", "prepare")
    assert "prepared 100\n" in ran.out
    assert stages.tally("show", "prepare", "--json").json()["output"] == "prepared 100"


def test_with_json_the_output_goes_to_stderr(stages: Stages) -> None:
    ran = stages.tally("run", "--json", "prepare")
    assert ran.json()["stages"][0]["status"] == "succeeded"
    assert "prepared 100" in ran.err


def test_a_new_stage_is_written_and_run(bare: Stages) -> None:
    bare.repo.write("in.txt", "x")
    bare.repo.write("params.yaml", "a:\n  b: 1\n")
    options = ["-d", "in.txt", "-p", "a.b", "-o", "out.txt", "-m", "m.json", "--seed", "7", "-e", "THREADS"]
    bare.tally(
        "run", "-n", "copy", *options, "--", "sh", "-c", "cp in.txt out.txt; echo '{\"k\": 2}' > m.json"
    )
    text = bare.repo.read("tally.yaml").decode()
    assert "seed: 7" in text
    receipt = bare.receipt("copy")
    assert receipt["metrics"] == {"m.json": {"k": 2}}
    assert receipt["params"] == {"params.yaml": {"a.b": 1}}
    assert bare.states() == {"copy": "up to date"}


def test_a_stage_of_that_name_is_replaced_only_by_force(bare: Stages) -> None:
    bare.tally("run", "-n", "a", "--", "true")
    ran = bare.tally("run", "-n", "a", "--", "echo", "other", code=3)
    assert "another stage `a`" in ran.err
    bare.tally("run", "--force", "-n", "a", "--", "echo", "other")
    assert b"echo other" in bare.repo.read("tally.yaml")


def test_a_stage_made_in_a_folder_belongs_to_it(bare: Stages) -> None:
    sub = bare.repo.path / "sub"
    sub.mkdir()
    bare.tally("run", "-n", "a", "-o", "o", "--", "touch", "o", cwd=sub)
    assert (sub / "tally.yaml").is_file()
    assert (sub / "receipts/a.json").is_file()
    assert bare.states("sub:a") == {"sub:a": "up to date"}


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["-n", "a"], 2, "has no command"),
        (["-d", "x"], 2, "need its name"),
        (["-n", "bad/name", "--", "true"], 12, "name is made of letters"),
        (["-n", "a", "-o", "../up", "--", "true"], 12, "leads out of the project"),
        (["-n", "a", "-o", "/abs", "--", "true"], 12, "outside of the project"),
        (["-n", "a", "-d", "nowhere", "--", "true"], 3, "which doesn't exist and which no stage makes"),
        (["-n", "a", "-w", "nowhere", "--", "true"], 3, "no folder"),
        (["nope"], 3, "no stage `nope`"),
        (["-S", "a=1"], 3, "no `params.yaml` in which `a=1` could be set"),
        (["-n", "a", "-p", "lr", "--", "true"], 12, "params.yaml"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    bare: Stages, args: list[str], code: int, words: str
) -> None:
    before = bare.repo.git("status", "--porcelain")
    ran = bare.tally("run", *args, code=code)
    assert words in ran.err.splitlines()[0]
    if args[-2:] != ["--", "true"] or "-p" not in args:
        assert bare.repo.git("status", "--porcelain") == before


def test_a_parameter_is_changed_in_place(stages: Stages) -> None:
    stages.tally("run")
    assert stages.states("-S", "params.json:rate=0.9") == {"prepare": "up to date", "train": "succeeded"}
    assert stages.repo.read("params.json") == b'{"rate": 0.9}'


def test_a_dry_run_changes_no_parameter_but_reckons_with_it(done: Stages) -> None:
    planned = done.ran("--dry-run", "-S", "params.json:rate=0.9")["stages"]
    assert [stage["status"] for stage in planned] == ["up to date", "would run"]
    assert done.repo.read("params.json") == b'{"rate": 0.5}'
    assert done.repo.git("status", "--porcelain") == ""


def test_a_failed_stage_leaves_a_receipt_in_the_ledger_only(done: Stages) -> None:
    before = done.repo.read("receipts/train.json")
    done.repo.write("train.py", "print('no'); raise SystemExit(3)")
    ran = done.tally("run", code=18)
    assert "stage `train` failed: its command ended with exit code 3" in ran.err
    (failed,) = done.tally("log", "--failed", "--json").json()["runs"]
    shown = done.tally("show", failed["run"][7:20], "--json").json()
    assert (shown["receipt"]["status"], shown["receipt"]["exit_code"], shown["output"]) == ("failed", 3, "no")
    assert done.repo.read("receipts/train.json") == before


def test_outs_that_a_failed_command_did_not_write_are_given_back(done: Stages) -> None:
    model, metrics = done.repo.read("model.bin"), done.repo.read("metrics.json")
    done.repo.write("train.py", "open('model.bin', 'w').write('half'); raise SystemExit(1)")
    done.tally("run", code=18)
    assert done.repo.read("metrics.json") == metrics
    assert done.repo.read("model.bin") == b"half"
    done.tally("checkout", "--force", "model.bin")
    assert done.repo.read("model.bin") == model


def test_an_edited_out_is_stored_before_it_is_replaced(done: Stages) -> None:
    done.repo.write("model.bin", "precious")
    done.tally("run")
    store = LocalStore(done.repo.path / ".git/tally")
    assert store.read(Digest.of(b"precious")) == b"precious"


def test_a_declared_out_that_is_not_written_is_a_failure(bare: Stages) -> None:
    bare.pipeline("stages: {a: {cmd: 'true', outs: [never]}}")
    assert "did not write `never`" in bare.tally("run", code=18).err
    assert bare.runs()[0]["status"] == "failed"


@pytest.mark.parametrize("text", ['{"a": NaN}', "{", "[1]"])
def test_metrics_that_are_no_numbers_are_a_failure(bare: Stages, text: str) -> None:
    bare.repo.write("m", text)
    bare.pipeline("stages: {a: {cmd: cp m m.json, metrics: [m.json]}}")
    assert "m.json" in bare.tally("run", code=18).err


@pytest.mark.parametrize(
    ("cmd", "code"), [("nosuchprogram", 127), ("[nosuchprogram]", 127), ("kill -9 $$", 137)]
)
def test_a_command_that_can_not_run_or_is_killed_fails_with_its_code(
    bare: Stages, cmd: str, code: int
) -> None:
    bare.pipeline(f"stages: {{a: {{cmd: {cmd}}}}}")
    assert f"exit code {code}" in bare.tally("run", code=18).err


def test_links_folders_and_programs_in_outs_survive(bare: Stages) -> None:
    bare.pipeline(
        "stages: {a: {cmd: 'mkdir -p o/empty; echo 1 > o/x; chmod +x o/x; ln -s x o/l', outs: [o]}}"
    )
    bare.tally("run")
    assert bare.states() == {"a": "up to date"}


@pytest.mark.parametrize("cmd", ["mkfifo o", "mkdir o; ln -s /etc/passwd o/l", "mkdir o; git init -q o/g"])
def test_an_out_that_can_not_be_tracked_is_a_failure_that_names_it(bare: Stages, cmd: str) -> None:
    bare.pipeline(f"stages: {{a: {{cmd: '{cmd}', outs: [o]}}}}")
    assert "`o" in bare.tally("run", code=18).err


def test_an_out_that_git_tracks_is_refused_before_anything_runs(bare: Stages) -> None:
    bare.repo.write("o", "precious")
    bare.repo.commit()
    bare.pipeline("stages: {a: {cmd: echo > o, outs: [o]}}")
    assert "tracked by git" in bare.tally("run", code=3).err
    assert bare.repo.read("o") == b"precious"


def test_an_out_inside_a_tracked_folder_is_refused(stages: Stages) -> None:
    stages.pipeline("stages: {a: {cmd: echo > data/o, outs: [data/o]}}")
    assert "lies in the tracked folder `data`" in stages.tally("run", code=3).err


@pytest.mark.parametrize("text", ["{}", '{"accuracy": "0.93"}'])
def test_metrics_without_any_number_are_told(bare: Stages, text: str) -> None:
    bare.repo.write("text", text)
    bare.pipeline("stages: {a: {cmd: cp text m.json, deps: [text], metrics: [m.json]}}")
    assert "note: `m.json` holds no number" in bare.tally("run").out


def test_metrics_that_git_is_to_keep_and_ignores_are_told(bare: Stages) -> None:
    bare.repo.write(".gitignore", "/eval\n")
    bare.pipeline("stages: {a: {cmd: 'mkdir -p eval; echo {x: 1} > eval/m.yaml', metrics: [eval/m.yaml]}}")
    assert "note: `eval/m.yaml` is left to git, and git ignores it" in bare.tally("run").out
    bare.repo.write(".gitignore", "")
    assert "git ignores it" not in bare.tally("run", "-f").out


def test_a_dep_that_changes_during_the_run_is_told(bare: Stages) -> None:
    bare.repo.write("in", "1")
    bare.pipeline("stages: {a: {cmd: 'cp in out; echo 2 > in', deps: [in], outs: [out]}}")
    assert "`in` changed while `a` ran" in bare.tally("run").out
    assert bare.receipt("a")["changed"] == ["in"]
    assert bare.reasons("a") == ["dep in changed"]


def test_data_that_was_edited_and_not_added_is_told_and_stored(done: Stages) -> None:
    done.repo.write("data/numbers.txt", "5\n")
    assert "note: `data` is not what its pointer says: `tally add data`" in done.tally("run").out
    assert LocalStore(done.repo.path / ".git/tally").read(Digest.of(b"5\n")) == b"5\n"
    done.tally("add", "data")
    assert done.states() == {"prepare": "up to date", "train": "up to date"}
    done.repo.commit()
    assert done.tally("repro", "--json").json()["exit_code"] == 0


def test_a_dirty_worktree_is_kept_as_the_code_that_ran(done: Stages) -> None:
    text = done.repo.read("prepare.py").decode() + "# edited, not committed\n"
    done.repo.write("prepare.py", text)
    done.repo.write("new.py", "x = 1\n")
    done.repo.write(".env", "PASSWORD=1\n")
    ran = done.tally("run", "prepare")
    code = done.receipt("prepare")["code"]
    assert code["dirty"] is True
    assert done.repo.git("show", f"{code['tree']}:prepare.py") == text.rstrip("\n")
    assert done.repo.git("show", f"{code['tree']}:new.py") == "x = 1"
    assert code["left_out"] == [".env"]
    assert "left out of the snapshot" in ran.out


def test_before_the_first_commit_stages_run_too(empty_repo: Repo, lean_path: Path) -> None:
    tally = Tally(empty_repo.path)
    tally("init")
    tally("run", "-n", "a", "-o", "o", "--", "touch", "o")
    assert json.loads(empty_repo.read("receipts/a.json"))["code"]["commit"] is None


def test_a_clone_runs_nothing_before_it_is_allowed(done: Stages, tmp_path: Path) -> None:
    clone = done.repo.clone(tmp_path / "clone")
    ran = done.tally("run", cwd=clone.path, code=19)
    assert "--trust" in ran.err
    assert clone.git("status", "--porcelain") == ""
    plan = done.tally("run", "--dry-run", cwd=clone.path)
    assert "python train.py" in plan.out


def test_data_that_is_not_there_is_named_with_the_way_to_it(done: Stages, tmp_path: Path) -> None:
    clone = done.repo.clone(tmp_path / "clone")
    ran = done.tally("run", "--trust", cwd=clone.path, code=3)
    assert "needs `data`, whose data isn't in the worktree" in ran.err
    assert "tally pull data" in ran.err


def test_outside_of_a_repository_the_way_in_is_named(tmp_path: Path) -> None:
    assert "git init" in Tally(tmp_path)("run", code=10).err


def _interrupt(stages: Stages, wait_for: Path, number: int) -> tuple[int, str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tallystick", "run"], cwd=stages.repo.path, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not wait_for.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def test_ctrl_c_ends_the_command_keeps_a_receipt_and_gives_outs_back(done: Stages, tmp_path: Path) -> None:
    started, model = tmp_path / "started", done.repo.read("model.bin")
    done.repo.write("train.py", f"import time; open('{started}', 'w'); time.sleep(120)")
    code, out = _interrupt(done, started, signal.SIGINT)
    assert (code, "interrupted" in out) == (130, True)
    assert done.runs()[0]["status"] == "interrupted"
    assert done.repo.read("model.bin") == model
    assert not list((done.repo.path / ".git/tally/aside").rglob("content"))


def test_what_a_killed_run_moved_aside_comes_back_with_the_next(done: Stages, tmp_path: Path) -> None:
    started, model, script = tmp_path / "started", done.repo.read("model.bin"), done.repo.read("train.py")
    done.repo.write("train.py", f"import time; open('{started}', 'w'); time.sleep(5)")
    assert _interrupt(done, started, signal.SIGKILL)[0] == -signal.SIGKILL
    assert not (done.repo.path / "model.bin").exists()
    done.repo.write("train.py", script)
    assert done.states() == {"prepare": "up to date", "train": "up to date"}
    assert done.repo.read("model.bin") == model


def test_a_receipts_folder_that_is_a_link_is_not_followed(bare: Stages, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (bare.repo.path / "receipts").symlink_to(outside)
    bare.pipeline("stages: {a: {cmd: 'true'}}")
    assert "link" in bare.tally("run", code=3).err
    assert not list(outside.iterdir())


def test_what_a_frozen_stage_never_made_is_said_to_be_its_business(bare: Stages) -> None:
    bare.pipeline(
        "stages:\n"
        "  made: {cmd: 'touch made', outs: [made], frozen: true}\n"
        "  uses: {cmd: cat made, deps: [made]}\n"
    )
    refused = bare.tally("run", "uses", code=3).err
    assert "needs `made`, which stage `made` makes, and that is frozen" in refused
    assert "take `frozen` out of `made`" in refused


def test_what_another_stage_makes_is_to_be_made_first(bare: Stages) -> None:
    bare.pipeline(
        "stages:\n  made: {cmd: 'touch made', outs: [made]}\n  uses: {cmd: cat made, deps: [made]}\n"
    )
    refused = bare.tally("run", "--single", "uses", code=3).err
    assert "needs `made`, which stage `made` makes\nhint: tally run made" in refused


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("dep: [x]", "unknown key `dep`\nhint: there are: cmd, "),
        ("params: [nope]", "there is no parameter `nope`\nhint: there are: lr"),
        ("variables: [MY_TOKEN]", "\nhint: the command gets it all the same"),
    ],
)
def test_what_is_wrong_in_a_pipeline_is_said_with_what_would_be_right(
    bare: Stages, stage: str, said: str
) -> None:
    bare.repo.write("params.yaml", "lr: 0.1\n")
    bare.pipeline(f"stages:\n  a:\n    cmd: 'true'\n    {stage}\n")
    assert said in bare.tally("run", code=12).err


def test_a_new_stage_whose_parameters_are_not_there_is_not_written(bare: Stages) -> None:
    bare.repo.write("params.yaml", "lr: 0.1\n")
    refused = bare.tally("run", "-n", "a", "-p", "nope", "--", "true", code=12).err
    assert "there is no parameter `nope`" in refused
    assert not (bare.repo.path / "tally.yaml").exists()


@pytest.mark.parametrize("setting", ["lr=1", "other.yaml:lr=1", "../other.yaml:lr=1", "/other.yaml:lr=1"])
def test_parameters_of_no_file_can_not_be_set(bare: Stages, setting: str) -> None:
    bare.pipeline("stages: {a: {cmd: 'true'}}")
    refused = bare.tally("run", "-S", setting, code=None)
    assert refused.exit_code in (3, 12)
    assert "there is no `" in refused.err or "leads out of" in refused.err or "outside" in refused.err

"""Runs that are honest, and runs whose receipts claim inputs that they did not have: one axis apart each."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sandbox import Repo, Tally

PROGRAMS = ("sh", "awk", "sed", "cat", "mkdir", "git", "bwrap", "od", "tr", "sleep", "ip", "unshare")
"""All that the stages need: where there is no Python on PATH, no environment has to be rebuilt."""

HELPER = "factor=2\n"

TRAIN = """\
. ./helper.sh
rate=$(sed -n 's/.*"rate": *\\([0-9.]*\\).*/\\1/p' params.json)
mkdir -p out
cat data/*.csv | awk -v rate="$rate" -v factor="$factor" -v seed="${TALLY_SEED:-0}" \\
    -v flavour="${FLAVOUR:-plain}" -v scale="${1:-1}" -v threads="${OMP_NUM_THREADS:-1}" '
{ sum += $1 }
END {
    loss = scale * sum * rate * factor + seed / 8 + length(flavour) + 1 / threads
    print "{\\"loss\\": " loss ", \\"rows\\": " NR "}"
}' > m.json
echo "$TALLY_SEED $rate" > out/model
echo "$FLAVOUR" > out/about
"""

PIPELINE = """\
stages:
  train:
    cmd: sh train.sh
    deps: [train.sh, data]
    params: [{params.json: [rate]}]
    metrics: [m.json]
    outs: [out]
    seed: 7
    variables: [FLAVOUR]
"""

FLAVOUR = "vanilla"


@dataclass(frozen=True, slots=True)
class Variant:
    """What is otherwise than in the base run, and the axis that it lies on."""

    axis: str
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    new: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str | None] = field(default_factory=dict)


VARIANTS = {
    "another rate": Variant("params", {"params.json": ("0.5", "0.25")}),
    "a rate that is a whole number": Variant("params", {"params.json": ("0.5", "3")}),
    "another seed": Variant("seed", {"tally.yaml": ("seed: 7", "seed: 8")}),
    "no seed": Variant("seed", {"tally.yaml": ("    seed: 7\n", "")}),
    "one row is another": Variant("data", {"data/one.csv": ("2", "5")}),
    "a row more": Variant("data", {"data/one.csv": ("3\n", "3\n4\n")}),
    "a file more": Variant("data", new={"data/two.csv": "9\n"}),
    "another script": Variant("code", {"train.sh": ("length(flavour)", "2 * length(flavour)")}),
    "another helper that nobody declared": Variant("code", {"helper.sh": ("2", "3")}),
    "another command": Variant("code", {"tally.yaml": ("sh train.sh", "sh train.sh 2")}),
    "another variable": Variant("environment", variables={"FLAVOUR": "chocolate"}),
    "a variable that is not set": Variant("environment", variables={"FLAVOUR": None}),
    "a switch that nobody declared": Variant("machine", variables={"OMP_NUM_THREADS": "2"}),
}

MORE = {
    "a rate of zero": Variant("params", {"params.json": ("0.5", "0")}),
    "a rate that is hardly another": Variant("params", {"params.json": ("0.5", "0.5001")}),
    "a rate of many digits": Variant("params", {"params.json": ("0.5", "0.333333333333")}),
    "a seed of zero": Variant("seed", {"tally.yaml": ("seed: 7", "seed: 0")}),
    "a large seed": Variant("seed", {"tally.yaml": ("seed: 7", "seed: 4294967295")}),
    "a seed next to it": Variant("seed", {"tally.yaml": ("seed: 7", "seed: 6")}),
    "a row less": Variant("data", {"data/one.csv": ("3\n", "")}),
    "a row of the other sign": Variant("data", {"data/one.csv": ("1\n", "-1\n")}),
    "a row with a fraction": Variant("data", {"data/one.csv": ("2\n", "2.5\n")}),
    "an empty row": Variant("data", {"data/one.csv": ("2\n", "2\n\n")}),
    "another formula": Variant("code", {"train.sh": ("sum += $1", "sum += $1 * $1")}),
    "another constant": Variant("code", {"train.sh": ("seed / 8", "seed / 4")}),
    "another factor that nobody declared": Variant("code", {"helper.sh": ("2", "2.5")}),
    "a command with another option": Variant("code", {"tally.yaml": ("sh train.sh", "sh -e train.sh 3")}),
    "a longer variable": Variant("environment", variables={"FLAVOUR": "strawberry"}),
    "an empty variable": Variant("environment", variables={"FLAVOUR": ""}),
    "a variable of another alphabet": Variant("environment", variables={"FLAVOUR": "черника"}),
    "four threads": Variant("machine", variables={"OMP_NUM_THREADS": "4"}),
    "eight threads": Variant("machine", variables={"OMP_NUM_THREADS": "8"}),
}
"""Further ones of each axis: with those above, each honest and doctored, there are more than sixty runs."""


class Corpus:
    """A repository with a base run, and beside it an honest and a doctored commit of each variant."""

    def __init__(self, folder: Path) -> None:
        self.repo = Repo(folder / "repo")
        self.tally = Tally(self.repo.path)
        self.path = str(without_python(folder))
        self.commits: dict[str, str] = {}

    def build(self) -> None:
        """Run the base, and one variant after the other."""
        repo = self.repo
        repo.path.mkdir()
        repo.git("init", "--quiet")
        for name, text in (("train.sh", TRAIN), ("helper.sh", HELPER), ("params.json", '{"rate": 0.5}\n')):
            repo.write(name, text)
        repo.write("data/one.csv", "1\n2\n3\n")
        repo.write("tally.yaml", PIPELINE)
        self.tally("init")
        self.tally("add", "data")
        self.commits["base"] = self._run()
        self.add(VARIANTS)

    def add(self, variants: Mapping[str, Variant]) -> None:
        """Run variants, and claim the results of each for the inputs of the base."""
        for name, variant in variants.items():
            self.commits[name] = self._variant(variant)
            self.commits[f"doctored: {name}"] = self._doctored(name)

    def repro(self, *args: str, code: int) -> dict[str, Any]:
        """Repeat, and return the verdict on the only stage."""
        ran = self._called({"FLAVOUR": "something else"}, "repro", "--json", "--trust", *args, code=code)
        (stage,) = ran["verdict"]["stages"]
        return dict(stage)

    def receipt_of(self, commit: str) -> Any:
        """Return the receipt that a commit holds."""
        return json.loads(self.repo.git("show", f"{commit}:receipts/train.json"))

    def commit_receipt(self, change: Callable[[Any], None], message: str) -> str:
        """Commit the base with another receipt, which no ledger has a run of."""
        self._back_to("base")
        receipt = self.receipt_of("HEAD")
        change(receipt)
        receipt["started"] = "2026-01-31T12:00:00Z"
        self.repo.write("receipts/train.json", json.dumps(receipt, indent=2, sort_keys=True) + "\n")
        return self.repo.commit(message)

    def _variant(self, variant: Variant) -> str:
        self._back_to("base")
        for name, (old, new) in variant.files.items():
            text = self.repo.read(name).decode()
            assert old in text
            self.repo.write(name, text.replace(old, new))
        for name, text in variant.new.items():
            self.repo.write(name, text)
        if variant.axis == "data":
            self.tally("add", "data")
        return self._run(variant.variables)

    def _doctored(self, name: str) -> str:
        """The base's inputs, with the results that a variant had."""
        honest = self.commits[name]
        results = {key: self.receipt_of(honest)[key] for key in ("outs", "metrics")}
        commit = self.commit_receipt(lambda receipt: receipt.update(results), f"Doctored: {name}")
        assert commit != honest
        return commit

    def _back_to(self, name: str) -> None:
        self.repo.git("checkout", "--quiet", "--force", self.commits[name])
        self.tally("checkout", "--force")
        for stray in ("data/two.csv",):
            (self.repo.path / stray).unlink(missing_ok=True)

    def _run(self, variables: Mapping[str, str | None] | None = None) -> str:
        self._called(variables or {}, "run", "--json", "--force", "--trust", code=0)
        return self.repo.commit("Run")

    def _called(self, variables: Mapping[str, str | None], *args: str, code: int) -> Any:
        outer = {name: os.environ.get(name) for name in ("FLAVOUR", "PATH", "OMP_NUM_THREADS")}
        _set({"FLAVOUR": FLAVOUR, "PATH": self.path, "OMP_NUM_THREADS": None, **variables})
        try:
            return self.tally(*args, code=code).json()
        finally:
            _set(outer)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def without_python(folder: Path) -> Path:
    """Make a folder with links to some programs, and no Python among them."""
    programs = folder / "programs"
    programs.mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        if found is not None:
            (programs / name).symlink_to(os.path.realpath(found))
    return programs

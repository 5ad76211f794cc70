"""`tally repro --explain`: honest and doctored runs, one axis apart each, judged and named rightly."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reproduction.corpus import MORE, VARIANTS, Corpus

_built: list[Corpus] = []


@pytest.fixture
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Return the corpus, built once: no test changes what another one looks at."""
    if not _built:
        made = Corpus(tmp_path_factory.mktemp("corpus"))
        made.build()
        _built.append(made)
    return _built[0]


@pytest.fixture
def large_corpus(corpus: Corpus) -> Corpus:
    """Return it with all variants."""
    if not corpus.commits.keys() >= MORE.keys():
        corpus.add(MORE)
    return corpus


def causes(stage: dict[str, Any]) -> list[str]:
    """Return the axes that the verdict's sentence names."""
    parts = (stage["reason"] or "").split("; ")
    return [part.split("`")[1] for part in parts if part.startswith("`") and "` explains it" in part]


@pytest.mark.parametrize("name", VARIANTS)
def test_an_honest_run_is_identical(corpus: Corpus, name: str) -> None:
    stage = corpus.repro(corpus.commits[name], code=0)
    assert stage["outcome"] == "identical"
    assert {each["outcome"] for each in stage["comparisons"]} == {"identical"}


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_a_run_whose_receipt_claims_other_inputs_is_different(corpus: Corpus, name: str) -> None:
    assert corpus.repro(corpus.commits[f"doctored: {name}"], code=1)["outcome"] == "different"


@pytest.mark.parametrize("name", VARIANTS)
def test_what_makes_another_run_different_is_named(corpus: Corpus, name: str) -> None:
    stage = corpus.repro(corpus.commits["base"], "--explain", corpus.commits[name], code=0)
    assert causes(stage) == [VARIANTS[name].axis]
    assert [(axis["name"], axis["outcome"]) for axis in stage["axes"]] == [(VARIANTS[name].axis, "different")]
    assert f"compared with {corpus.commits[name]} (run " in stage["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_is_named_the_other_way_round(corpus: Corpus, name: str) -> None:
    stage = corpus.repro(corpus.commits[name], "--explain", corpus.commits["base"], code=0)
    assert causes(stage) == [VARIANTS[name].axis]


@pytest.mark.parametrize("name", VARIANTS)
def test_what_a_doctored_receipt_hides_is_named(corpus: Corpus, name: str) -> None:
    doctored, honest = corpus.commits[f"doctored: {name}"], corpus.commits[name]
    stage = corpus.repro(doctored, "--explain", honest, code=1)
    assert stage["outcome"] == "different"
    assert causes(stage) == [VARIANTS[name].axis]


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_of_further_runs_verdict_and_cause_are_right_too(large_corpus: Corpus, name: str) -> None:
    honest, doctored = large_corpus.commits[name], large_corpus.commits[f"doctored: {name}"]
    assert large_corpus.repro(honest, code=0)["outcome"] == "identical"
    assert large_corpus.repro(doctored, code=1)["outcome"] == "different"
    base = large_corpus.repro(large_corpus.commits["base"], "--explain", honest, code=0)
    hidden = large_corpus.repro(doctored, "--explain", honest, code=1)
    assert causes(base) == causes(hidden) == [MORE[name].axis]


@pytest.mark.slow
def test_the_corpus_has_sixty_runs_of_every_axis(large_corpus: Corpus) -> None:
    axes = {variant.axis for variant in (*VARIANTS.values(), *MORE.values())}
    assert axes == {"params", "seed", "data", "code", "environment", "machine"}
    receipts = {json.dumps(large_corpus.receipt_of(commit)) for commit in large_corpus.commits.values()}
    assert len(receipts) >= 60


def test_of_two_axes_only_the_one_that_matters_is_named(corpus: Corpus) -> None:
    def change(receipt: Any) -> None:
        receipt["hardware"]["cpu"] = "Another"

    other = corpus.commit_receipt(change, "The same elsewhere")
    stage = corpus.repro(corpus.commits["another seed"], "--explain", other, code=0)
    assert causes(stage) == ["seed"]


def test_another_machine_is_named_where_nothing_else_is_left(corpus: Corpus) -> None:
    def change(receipt: Any) -> None:
        receipt["hardware"]["cpu"] = "Another"
        receipt["outs"] = corpus.receipt_of(corpus.commits["another rate"])["outs"]

    other = corpus.commit_receipt(change, "Another machine")
    stage = corpus.repro(corpus.commits["base"], "--explain", other, code=0)
    (axis,) = stage["axes"]
    assert (axis["name"], axis["outcome"]) == ("machine", "could not be rebuilt")
    assert "the machine is another one" in stage["reason"]


def test_runs_with_the_same_results_need_no_explanation(corpus: Corpus) -> None:
    base = corpus.commits["base"]
    stage = corpus.repro(base, "--explain", base, code=0)
    assert "has the same results" in stage["reason"]


def test_what_stands_in_the_worktree_is_the_other_run_without_one(corpus: Corpus) -> None:
    corpus.repo.git("checkout", "--quiet", "--force", corpus.commits["another rate"])
    corpus.tally("checkout", "--force")
    stage = corpus.repro(corpus.commits["base"], "--explain", code=0)
    found = {axis["name"]: axis["outcome"] for axis in stage["axes"]}
    assert (found["params"], found["environment"]) == ("different", "different")
    assert set(causes(stage)) == {"params", "environment"}


def test_a_run_without_a_seed_is_said_to_be_so(corpus: Corpus, tmp_path: Path) -> None:
    noisy = Corpus(tmp_path)
    noisy.repo.path.mkdir()
    noisy.repo.git("init", "--quiet")
    noisy.repo.write("tally.yaml", "stages: {a: {cmd: od -N8 -tx8 /dev/urandom > o, outs: [o]}}\n")
    noisy.tally("init")
    noisy._run()
    stage = noisy.repro("HEAD", "--explain", code=1)
    assert stage["axes"] == []
    assert "is a seed missing" in stage["reason"]

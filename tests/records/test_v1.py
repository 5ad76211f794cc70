"""Records of format 1, as they were first written: they must be read for ever, and written no other way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallystick.digest import Digest
from tallystick.records import environment, pipeline, pointer, receipt, root, tree, verdict

V1 = Path(__file__).parent.parent / "data" / "v1"

RECORDS: dict[str, tuple[Callable[[bytes, str], Any], Callable[[Any], bytes], str]] = {
    "receipt-2.json": (
        receipt.parse,
        receipt.render,
        "15983f5e67d14a52a5a8f0c0907e54d45037fb7805f9587c6a0d567956c5a0ce",
    ),
    "verdict-3.json": (
        verdict.parse,
        verdict.render,
        "ea94b9c3811621b9117a490281e62854de1eb3dc179eccc80fc68d55f37f65d4",
    ),
    "environment.lock": (
        environment.parse,
        environment.render,
        "9f7982878ab23faa69cd8b1d7319582b3efaf794440feaa68223301d5408c396",
    ),
    "root.json": (
        root.parse,
        root.render,
        "b3e7b37aa09f7836c4ab1ed7f7e46f7881ac055de5358723b5ad7f743c7973ad",
    ),
    "tally-store.json": (
        root.parse_format,
        root.render_format,
        "d95a24b7d8abb648aa4a4f103d8ed9b21a7d77b1b844d8b8a6ce1e9546d205a6",
    ),
    "file.pointer": (
        pointer.parse,
        pointer.render,
        "bd55eb070069595219fa8621e3b51a9c3c53e6955b545f0af93b5ac56e525c54",
    ),
    "tree": (tree.parse, tree.render, "e920171c9dcbe363778fa6960e51e58cb36053087991f381b051eadd09e4ef49"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_format_1_is_read_and_written_byte_for_byte(name: str) -> None:
    parse, render, digest = RECORDS[name]
    data = (V1 / name).read_bytes()
    assert str(Digest.of(data)) == f"blake3:{digest}", "old data is never edited"
    assert render(parse(data, name)) == data


def test_the_first_receipts_are_read_without_the_fields_that_came_later() -> None:
    data = (V1 / "receipt.json").read_bytes()
    first = receipt.parse(data)
    assert str(Digest.of(data)) == "blake3:d104d71b8345b59c1899cc58e6b2e9484b85dbea091d0b1d4a7bea1380e03c17"
    assert (first.stage, first.metrics["metrics.json"]["accuracy"]) == ("sub/dir:train", 0.975)
    assert (first.cause, first.trace, first.series, first.host) == (None, "none", None, None)
    assert receipt.parse(receipt.render(first)) == first


def test_the_first_verdicts_are_read_without_the_fields_that_came_later() -> None:
    data = (V1 / "verdict.json").read_bytes()
    first = verdict.parse(data)
    assert str(Digest.of(data)) == "blake3:41ff346fcdf06c9ccd840f923434ceb058ea22b0090556475fab53b6de8edff6"
    assert (first.author, first.host, first.enforced, first.repetitions) == (None, None, (), 1)
    assert (first.stages[0].axes, first.stages[0].comparisons[0].kind) == ((), "bytes")
    assert verdict.parse(verdict.render(first)) == first


def test_the_second_verdicts_are_read_without_notes_and_curves() -> None:
    data = (V1 / "verdict-2.json").read_bytes()
    second = verdict.parse(data)
    assert str(Digest.of(data)) == "blake3:3ad97023b323cbb5e5b8ef2a1926a7796ac617d33228ccd117ea7b36034887db"
    assert (second.author is not None, second.notes, second.stages[0].series) == (True, (), None)
    assert verdict.parse(verdict.render(second)) == second


def test_a_pointer_that_a_person_wrote_in_is_rewritten_byte_for_byte() -> None:
    data = (V1 / "tree.pointer").read_bytes()
    assert pointer.render(pointer.parse(data), data) == data


def test_a_pipeline_of_format_1_is_read() -> None:
    stages = pipeline.parse((V1 / "tally.yaml").read_bytes()).stages
    assert {name: len(stage.all_outs) for name, stage in stages.items()} == {"prepare": 1, "train": 3}


def test_every_old_file_is_read_by_some_test() -> None:
    assert {path.name for path in V1.iterdir()} >= {
        *RECORDS,
        "receipt.json",
        "verdict.json",
        "verdict-2.json",
        "tree.pointer",
        "tally.yaml",
    }

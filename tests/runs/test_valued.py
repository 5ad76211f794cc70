import json
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.records import receipt as receipts
from tallystick.runs import valued
from tallystick.runs.naming import FACTS, Values

ROOT = Path(__file__).parents[2]


def receipt(**changes: object) -> bytes:
    """A receipt in its canonical form, some of its values others."""
    text = (ROOT / "tests/data/v1/receipt-2.json").read_bytes()
    values = receipts.as_values(receipts.parse(text))
    return receipts.render(receipts.parse(json.dumps({**values, **changes})))


def entry(data: bytes) -> bytes:
    """What a receipt's entry is if all of it is read."""
    return valued._read(Digest.of(data), data)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seed": 3, "cause": 'it said "no",\\n  "seed": 4'},
        {"author": 'A "B" <a@b>', "params": {}, "metrics": {}},
        {"params": {"params.yaml": {"a": {"b": [1, "x\n  \"metrics\": {}"]}}, "p.toml": {"lr": 1e-7}}},
        {"metrics": {"metrics.json": {"outs": 1.5, ',\n  "outs": ': 2}}},
    ],
)  # fmt: skip
def test_the_entry_that_is_cut_out_of_a_receipt_says_the_same_as_the_whole(
    changes: dict[str, object],
) -> None:
    data = receipt(**changes)
    cut = valued.cut(Digest.of(data), data)
    assert cut is not None
    assert b"\n" not in cut
    assert json.loads(cut) == json.loads(entry(data))


def test_receipts_that_are_written_otherwise_or_can_not_be_believed_get_entries_as_ever() -> None:
    plain = receipt()
    dense = json.dumps(json.loads(plain)).encode()
    broken = plain.replace(b'\n  "params": {', b'\n  "params": {{', 1)
    some = [(Digest.of(data), data) for data in (plain, dense, broken, b"{}", b"no receipt")]
    some.append((Digest.of(b"another"), plain))
    lines = valued._entries(some).splitlines()
    assert [json.loads(line) for line in lines] == [json.loads(valued._read(*each)) for each in some]
    assert [json.loads(line)[1] is None for line in lines] == [False, False, True, True, True, True]
    facts = dict(zip(FACTS[1:], json.loads(lines[1])[1], strict=True))
    known = Values.of(some[0][0], receipts.parse(plain)).facts
    assert facts == {name: known[name] for name in FACTS[1:]}

"""Variables that mathematics listens to: recorded without being asked for, and set again for a repetition."""

from collections.abc import Collection, Iterator, Mapping

from tallystick.envs.settings import VARIABLES
from tallystick.records.receipt import Receipt

HASH_SEED = "PYTHONHASHSEED"
"""It goes with the seed: a stage that has one gets both from there."""

_CARDS = frozenset({"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"})
"""They number the graphics cards of one machine; on another one, only that none was to be used holds."""

_NO_CARD = ("", "-1")


def switches_of(receipt: Receipt) -> dict[str, str]:
    """What a repetition sets as it was, unless the stage's variables or its seed say it already."""
    return {
        name: value
        for name, value in receipt.environment.settings.items()
        if name in VARIABLES
        and name not in receipt.variables
        and not (name == HASH_SEED and receipt.seed is not None)
        and (name not in _CARDS or value in _NO_CARD)
    }


def switches_apart(old: Receipt, new: Receipt) -> Iterator[tuple[str, str | None, str | None]]:
    """The switches that two runs had set otherwise, with both values; not what their seeds explain."""
    then, now = switches_of(old), switches_of(new)
    seeded = old.seed is not None or new.seed is not None
    for name in sorted(then.keys() | now.keys()):
        declared = name in old.variables or name in new.variables or (seeded and name == HASH_SEED)
        if then.get(name) != now.get(name) and not declared:
            yield name, then.get(name), now.get(name)


def exchanged(into: Mapping[str, str], source: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Settings in which some switches are as another run had them, set or not."""
    kept = {name: value for name, value in into.items() if name not in names}
    return kept | {name: value for name, value in source.items() if name in names}

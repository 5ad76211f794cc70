"""What a run's values are called: its facts, and its params and metrics by dotted key."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tallystick.digest import Digest
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.records.receipt import Receipt
from tallystick.records.stage import PARAMS

METRICS = "metrics.json"
"""The file that a bare metric belongs to, as a bare parameter belongs to `params.yaml`."""

FACTS = (
    "run", "started", "stage", "status", "commit", "dirty", "seconds", "author", "seed", "exit_code", "cause",
)  # fmt: skip
"""What every run can be asked for besides its params and metrics."""

BEGINNINGS = ("run", "commit")
"""Facts that the first of their digits are enough for."""

Files = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Values:
    """The values of one run; params and metrics by file."""

    facts: Mapping[str, Any]
    params: Files
    metrics: Files

    @classmethod
    def of(cls, run: Digest, receipt: Receipt) -> "Values":
        """Name what a receipt says."""
        facts = {name: getattr(receipt, name) for name in FACTS if hasattr(receipt, name)}
        code = {"commit": receipt.code.commit, "dirty": receipt.code.dirty}
        return cls({**facts, **code, "run": run.hex()}, receipt.params, receipt.metrics)

    @classmethod
    def of_text(cls, run: Digest, data: bytes) -> "Values | None":
        """Do the same for a receipt that was not parsed, a tenth of the cost; None for what is no receipt."""
        try:
            said = json.loads(data)
            code, params, metrics = said["code"], said["params"], said["metrics"]
            facts = {name: said.get(name) for name in FACTS}
            facts |= {"run": run.hex(), "commit": code["commit"], "dirty": code.get("dirty", False)}
            return cls(facts, _files(params), _files(metrics))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def find(self, name: str) -> Any:
        """The value of a name, None where the run has none; raise Refused for a name that means several."""
        if name in self.facts:
            return self.facts[name]
        found = self._usual(name) or list(self._named(name))
        if len(found) > 1:
            spelled = " or ".join(f"`{file}:{key}`" for file, key, _ in found)
            short = self.facts["run"][:12]
            raise Refused(f"`{name}` means several values of run `{short}`", hint=f"write {spelled}")
        return found[0][2] if found else None

    def has(self, name: str) -> bool:
        """Whether the run has something of a name, be it null."""
        return name in self.facts or bool(self._usual(name)) or any(self._named(name))

    def names(self) -> Iterator[str]:
        """The names of all params and metrics, as short as they can be."""
        for usual, files in ((PARAMS, self.params), (METRICS, self.metrics)):
            yield from flat(files, usual)

    def _usual(self, name: str) -> list[tuple[str, str, Any]]:
        """A param or metric of the usual files: it is called by its key alone."""
        pairs = ((PARAMS, self.params), (METRICS, self.metrics))
        return [(file, name, files[file][name]) for file, files in pairs if name in files.get(file, ())]

    def _named(self, name: str) -> Iterator[tuple[str, str, Any]]:
        """A param or metric of any file, by its key or by `file:key`."""
        for files in (self.params, self.metrics):
            for file, values in files.items():
                for key in (name, name.removeprefix(f"{file}:")):
                    if key in values and (key == name or name.startswith(f"{file}:")):
                        yield file, key, values[key]
                        break


def _files(value: Any) -> Files:
    """Values by file; raise TypeError where they are something else."""
    if not is_by_file(value):
        raise TypeError("no values by file")
    return value  # type: ignore[no-any-return]


def is_by_file(value: Any) -> bool:
    """Whether a value can be params or metrics by file."""
    return isinstance(value, dict) and all(isinstance(item, dict) for item in value.values())


def flat(files: Files, usual: str) -> dict[str, Any]:
    """Values of several files under one name each: the key alone, or `file:key` outside of the usual file."""
    return {
        key if file == usual else f"{file}:{key}": value
        for file, values in files.items()
        for key, value in values.items()
    }

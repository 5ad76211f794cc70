"""The program that runs containers, podman or docker, and what it says of itself."""

import json
import os
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tallystick import process
from tallystick.errors import Refused, TallyError
from tallystick.frozen import dataclass
from tallystick.process import Completed
from tallystick.records.provenance import ENGINES, EngineName

VARIABLE = "TALLY_CONTAINER_ENGINE"
"""Names one of them for a while; the setting `container.engine` for good."""

PATIENCE = 60.0
"""Seconds that an engine may take to answer a question; to pull an image it may take any time."""

_JSON = "{{json .}}"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that is installed; `variables` are the user's, where it finds its own settings."""

    kind: EngineName
    program: str
    variables: Mapping[str, str] = field(default_factory=dict)

    def ask(self, *words: str, timeout: float | None = PATIENCE) -> Completed:
        """Have it do something, however that ends."""
        return process.run([self.program, *words], env=self.variables, check=False, timeout=timeout)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine says of itself; `platform` is what it runs, `rootless` that its root is the user."""

    kind: EngineName
    version: str
    platform: str
    rootless: bool


def find_engine(variables: Mapping[str, str], wanted: str | None = None) -> Engine:
    """The engine that is wanted, else the first that is installed; raise Refused if there is none."""
    wanted = variables.get(VARIABLE) or wanted
    for kind in ENGINES if wanted is None else (wanted,):
        if kind not in ENGINES:
            raise Refused(
                f"`{kind[:40]}` is no engine for containers that is known",
                hint=f"set `container.engine`, or {VARIABLE}, to `podman` or `docker`",
            )
        try:
            program = process.find(kind, variables.get("PATH", os.defpath))
        except Refused:
            continue
        return Engine(ENGINES[kind], program, variables)
    missing = " or ".join(f"`{each}`" for each in (ENGINES if wanted is None else (wanted,)))
    raise Refused(f"no engine for containers is here: {missing} is not on PATH", hint="install podman")


def answer_of(engine: Engine) -> Answer:
    """Ask an engine for its version; raise Refused with what to do where it doesn't work."""
    told = engine.ask("version", "--format", _JSON)
    values = _values(told)
    server, client = values.get("Server"), values.get("Client")
    # Podman answers by itself, also where it is installed under docker's name.
    alone = isinstance(client, dict) and "OsArch" in client
    about = server if isinstance(server, dict) else client if alone else None
    if told.exit_code != 0 or not isinstance(about, dict):
        raise _silent(engine, told)
    kind: EngineName = "podman" if alone else engine.kind
    platform = about.get("OsArch") or f"{about.get('Os')}/{about.get('Arch')}"
    return Answer(kind, str(about.get("Version", "")), str(platform), _is_rootless(engine, kind))


def _is_rootless(engine: Engine, kind: EngineName) -> bool:
    if kind == "podman":
        return os.geteuid() != 0
    return "name=rootless" in engine.ask("info", "--format", "{{json .SecurityOptions}}").text


def _values(told: Completed) -> dict[str, Any]:
    try:
        values = json.loads(told.stdout)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _silent(engine: Engine, told: Completed) -> TallyError:
    said = last_words(told) or f"it ended with exit code {told.exit_code}"
    if engine.kind == "docker":
        return Refused(
            f"`docker` is here, but its daemon doesn't answer: {said}",
            hint="start the daemon, or install podman, which needs none",
        )
    return Refused(f"`podman` doesn't work here: {said}", hint="see what `podman version` says")


def last_words(told: Completed) -> str:
    """The line in which a program says why it failed."""
    lines = [line.strip() for line in told.complaint.splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ")[:500] if lines else ""

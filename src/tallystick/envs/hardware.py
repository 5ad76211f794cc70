"""Say what machine this is, as far as it can change numbers or times."""

import os
import re
import sys
from functools import cache
from pathlib import Path

from tallystick.errors import TallyError
from tallystick.patterns import regex
from tallystick.process import find, run
from tallystick.records.provenance import Hardware

PATIENCE = 10.0

_FLAG = regex(r"sse4_[12]|avx\w*|fma|f16c|bf16|amx_\w+|neon|asimd|sve\w*|sme(2\w*|_\w+)?|i8mm")


@cache
def hardware() -> Hardware:
    """The processor, its cores, memory in bytes, graphics cards and their drivers."""
    cards = _cards()
    return Hardware(
        cpu=_cpu_of_mac() if sys.platform == "darwin" else _cpu_of_linux(),
        cores=os.cpu_count() or 1,
        memory=_memory(),
        gpus=tuple(name for name, _ in cards),
        drivers=tuple(dict.fromkeys(driver for _, driver in cards)),
        flags=_flags_of_mac() if sys.platform == "darwin" else _flags_of_linux(),
    )


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _cpu_of_linux(path: Path = Path("/proc/cpuinfo")) -> str:
    """The model's name; on ARM, which tells none, what numbers it tells."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return os.uname().machine
    fields = dict(re.findall(r"^(.+?)\s*:\s*(.*?)\s*$", text.partition("\n\n")[0], re.MULTILINE))
    if name := fields.get("model name") or fields.get("Model"):
        return " ".join(str(name).split())
    told = (fields.get(key) for key in ("CPU implementer", "CPU part", "CPU variant", "CPU revision"))
    return " ".join((os.uname().machine, *(number for number in told if number)))


def _cpu_of_mac() -> str:
    try:
        return run([find("sysctl"), "-n", "machdep.cpu.brand_string"], timeout=PATIENCE).text
    except TallyError:
        return os.uname().machine


def _flags_of_linux(path: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """What the processor can that libraries choose their code by; `asimd` is ARM's word for NEON."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return ()
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    words = set(found[1].split()) if found else set()
    return tuple(sorted("neon" if word == "asimd" else word for word in words if _FLAG.fullmatch(word)))


def _flags_of_mac() -> tuple[str, ...]:
    try:
        names = ("machdep.cpu.features", "machdep.cpu.leaf7_features")
        text = run([find("sysctl"), "-n", *names], timeout=PATIENCE, check=False).text
    except TallyError:
        return ()
    words = {word.lower() for word in text.split()} or ({"neon"} if os.uname().machine == "arm64" else set())
    return tuple(sorted(word for word in words if _FLAG.fullmatch(word)))


def _cards() -> list[tuple[str, str]]:
    """Name and driver of each NVIDIA card; nothing is started where no such card can be."""
    if sys.platform != "linux" or not Path("/proc/driver/nvidia").exists():
        return []
    query = ["--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        lines = run([find("nvidia-smi"), *query], timeout=PATIENCE).text.splitlines()
    except TallyError:
        return []
    pairs = (line.rpartition(",") for line in lines if "," in line)
    return [(name.strip(), f"nvidia {driver.strip()}") for name, _, driver in pairs]

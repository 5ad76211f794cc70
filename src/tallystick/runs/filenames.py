"""What the receipt of a stage is called: what `foreach` went through may hold anything."""

from tallystick.digest import Digest
from tallystick.patterns import regex

LONGEST_NAME = 160
"""Characters of a stage's name in the name of its receipt; the rest is a digest."""

_UNSAFE = regex(r"[^A-Za-z0-9_.@=+,-]")


def file_name(name: str) -> str:
    """A stage's name as the name of a file: what `foreach` went through may hold anything."""
    safe = _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), name)
    return (
        safe if len(safe) <= LONGEST_NAME else f"{safe[:LONGEST_NAME]}~{Digest.of(name.encode()).hex()[:16]}"
    )

"""Regular expressions that are compiled when they are first used.

A short command loads fifty and uses ten: compiling all was a tenth of the time that it took.
"""

import re
from typing import Any, AnyStr, cast


class _Later:
    """Stands for a pattern; each of its methods is looked up once."""

    def __init__(self, text: Any, flags: int) -> None:
        self._asked = text, flags

    def __getattr__(self, name: str) -> Any:
        text, flags = self._asked
        found = getattr(re.compile(text, flags), name)
        setattr(self, name, found)
        return found


def regex(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """What `re.compile` returns, as far as attributes and methods go."""
    return cast("re.Pattern[AnyStr]", _Later(text, flags))

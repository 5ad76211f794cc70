"""What the user allows a repository to execute, kept outside of it (rule X2)."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.records.syntax import dump_json, load_json

LARGEST = 4 << 20
MARK = "grant"
"""The file inside `.git/tally` that a grant is bound to besides the folder's name."""


def settings_folder(variables: Mapping[str, str]) -> Path:
    """Return the user's own folder, `$XDG_CONFIG_HOME/tally`; `variables` are those of the process."""
    configured = variables.get("XDG_CONFIG_HOME", "")
    home = Path(configured) if os.path.isabs(configured) else Path.home() / ".config"
    return home / "tally"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a grant says: everything, or these commands."""

    everything: bool = False
    commands: frozenset[str] = frozenset()

    def covers(self, commands: Sequence[str]) -> bool:
        """Whether every one of the commands may run."""
        return self.everything or self.commands.issuperset(commands)


@dataclass(frozen=True, slots=True)
class Grants:
    """The grants for one repository; `settings` is the user's own folder, `common` the git directory.

    A grant holds for a folder's real name and the random mark inside it. So neither a repository that is
    cloned to where a trusted one stood, nor an archive that brings its own git directory, takes over what
    was allowed.
    """

    settings: Path
    common: Path

    def allowed(self) -> Allowed:
        """All that is allowed, to ask many times."""
        return self._read()

    def granted(self, commands: Sequence[str]) -> bool:
        """Whether every one of the commands may run."""
        return self._read().covers(commands)

    def granted_all(self) -> bool:
        """Whether anything that this repository says may run."""
        return self._read().everything

    def known(self) -> frozenset[str]:
        """Which commands were allowed one by one, to show what differs from them."""
        return self._read().commands

    def grant(self, commands: Sequence[str]) -> None:
        """Allow these commands from now on, besides what was allowed before."""
        allowed = self._read()
        self._write(Allowed(allowed.everything, allowed.commands.union(commands)))

    def grant_all(self) -> None:
        """Allow whatever this repository says: the user made it."""
        self._write(Allowed(everything=True))

    @property
    def _file(self) -> Path:
        name = Digest.of(os.fsencode(os.path.realpath(self.common))).hex()
        return self.settings / "grants" / f"{name}.json"

    @property
    def _mark(self) -> Path:
        return self.common / "tally" / MARK

    def _read(self) -> Allowed:
        """The grant; whatever can't be read, or is not the user's own, allows nothing."""
        try:
            if os.lstat(self._file).st_uid != os.geteuid():
                return Allowed()
            with open(self._file, "rb") as file:
                record = load_json(file.read(LARGEST + 1), str(self._file), LARGEST)
            mark = self._mark.read_text("ascii")
        except (OSError, UnicodeDecodeError, BadRecord):
            return Allowed()
        if not isinstance(record, dict) or record.get("mark") != mark or record.get("version") != 1:
            return Allowed()
        commands = record.get("commands")
        texts = [text for text in commands if isinstance(text, str)] if isinstance(commands, list) else []
        return Allowed(record.get("everything") is True, frozenset(texts))

    def _write(self, allowed: Allowed) -> None:
        mark = os.urandom(16).hex()
        record = {
            "version": 1,
            "repository": os.fsencode(os.path.realpath(self.common)).decode(errors="replace"),
            "mark": mark,
            "everything": allowed.everything,
            "commands": sorted(allowed.commands),
        }
        # The mark first: a crash between the two leaves a grant that holds no longer, never one too many.
        write_atomic(self._mark, mark.encode(), 0o600)
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(self._file, dump_json(record), 0o600)

"""Read and change settings."""

from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.project import Project
from tallystick.project.settings import Change, Setting, apply, key_name, listed

KEYS = (
    "core.remote",
    "core.repository",
    "core.jobs",
    "store.link",
    "mlflow.uri",
    "container.engine",
    "repro.unpickle",
    "remote.<name>.<option>",
)
_KNOWN = regex(
    r"core\.(remote|repository|jobs)|store\.link|mlflow\.uri|container\.engine|repro\.unpickle|remote\..+\..+"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings in the order in which they count: later ones win."""

    settings: tuple[Setting, ...]


def config(project: Project, key: str | None = None) -> Settings:
    """All settings, or those of one key; raise Refused for a key that is not set."""
    settings = listed(project.git)
    if key is None:
        return Settings(settings)
    found = tuple(setting for setting in settings if setting.key == key_name(key))
    if not found:
        raise Refused(f"`{key}` is not set", hint="`tally config` lists what is set")
    return Settings(found)


def change_config(project: Project, key: str, value: str | None, *, shared: bool) -> Settings:
    """Set a key, or take it out where the value is None; raise BadRecord for what makes no sense."""
    if value is None and not any(
        setting.key == key_name(key) and setting.shared == shared for setting in listed(project.git)
    ):
        where = "the shared settings" if shared else "this machine's settings"
        raise Refused(f"`{key}` is not set in {where}", hint="`tally config` lists what is set")
    if value is not None and not _KNOWN.fullmatch(key_name(key)):
        raise Refused(f"tally knows no setting `{key}`", hint=f"known: {', '.join(KEYS)}")
    apply(project.git, Change({key: value}, shared))
    return Settings(tuple(setting for setting in listed(project.git) if setting.key == key_name(key)))

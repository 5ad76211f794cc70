"""Which image a stage runs in: what its name means here, and whether that is what it last ran in."""

from collections.abc import Iterator

from tallystick.containers.engine import Engine, find_engine
from tallystick.containers.images import SHORT, Resolved, find_again, is_same, look, resolve, told_of
from tallystick.errors import EnvironmentNotRebuilt, Refused, TallyError
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records.image import parse_image
from tallystick.records.provenance import Container
from tallystick.runs.inputs import Surroundings
from tallystick.runs.pipelines import Step
from tallystick.runs.reasons import Reason

SETTING = "container.engine"
"""The user's own choice of an engine; no repository may say which program is started."""


def engine_for(project: Project, surroundings: Surroundings) -> Engine:
    """The engine of the user's choice, else one that is here; raise Refused if there is none."""
    return find_engine(surroundings.variables, project.config.values.get(SETTING))


def image_now(
    project: Project, step: Step, surroundings: Surroundings, progress: Progress = silent
) -> Resolved | None:
    """The image that a stage would run in now, pulled if it isn't here; None for a stage that names none.

    Raises Refused where there is no engine, or the image can't be had.
    """
    written = step.stage.image
    name = None if written is None else parse_image(written)
    if written is None or name is None:
        return None
    try:
        return resolve(engine_for(project, surroundings), name, written, progress.say)
    except Refused as error:
        raise Refused(f"stage `{step.address}` runs in a container: {error.message}", error.hint) from error


def image_then(
    project: Project, recorded: Container, surroundings: Surroundings, progress: Progress = silent
) -> Resolved:
    """The very image that a receipt records; raise EnvironmentNotRebuilt where it can't be had."""
    try:
        engine = engine_for(project, surroundings)
    except Refused as error:
        raise EnvironmentNotRebuilt(
            f"the image {told_of(recorded)} can't be had: {error.message}", error.hint
        ) from error
    return find_again(engine, recorded, progress.say)


def image_reasons(
    project: Project, step: Step, recorded: Container | None, surroundings: Surroundings
) -> Iterator[Reason]:
    """In what a stage's image differs from the one that it last ran in, as far as this machine knows."""
    written = step.stage.image
    if written is None or recorded is None or written != recorded.image:
        if written is not None or recorded is not None:
            then = "none" if recorded is None else recorded.image
            yield Reason("image", "", f"changed: {then} -> {written or 'none'}")
        return
    name = parse_image(written)
    if name is None or name.digest is not None:
        return  # a digest means the same for ever
    try:
        image = look(engine_for(project, surroundings), name.address)
    except TallyError:
        return  # without an engine nobody can say, and what the stage made is none the worse for it
    if image is not None and not is_same(image, recorded):
        detail = f"is another image now: {recorded.config[:SHORT]} -> {image.id[:SHORT]}"
        yield Reason("environment", written, detail)

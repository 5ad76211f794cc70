"""Images: which one a name means here, bringing it from its registry, and finding a recorded one again."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from tallystick.containers.engine import Answer, Engine, answer_of, last_words
from tallystick.errors import EnvironmentNotRebuilt, Refused
from tallystick.frozen import dataclass
from tallystick.records.image import ImageName, is_content, is_platform, parse_image
from tallystick.records.provenance import Container

SHORT = 19
"""Characters of a digest that people are shown."""

_ABSENT = r"no such (image|object)|image not known"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Image:
    """An image that an engine has: `sources` say by which digest it can be had from where.

    `variables` are those that it sets itself.
    """

    id: str
    platform: str
    sources: tuple[ImageName, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resolved:
    """An image that a command can run in now: who has it, and what a receipt says of it."""

    engine: Engine
    answer: Answer
    image: Image
    record: Container


def look(engine: Engine, name: str) -> Image | None:
    """The image that a name or ID means here, without any network; None where there is none."""
    told = engine.ask("image", "inspect", name)
    if told.exit_code != 0:
        if re.search(_ABSENT, told.complaint, re.IGNORECASE):
            return None
        raise Refused(f"`{engine.kind}` can't look at the image `{name}`: {last_words(told)}")
    image = _read(told.stdout)
    if image is None:
        raise Refused(f"`{engine.kind}` says of the image `{name}` what can't be understood")
    return image


def resolve(engine: Engine, name: ImageName, written: str, say: Say) -> Resolved:
    """The image that a stage names, pulled if it isn't here; raise Refused where that can't be had."""
    answer = answer_of(engine)
    image = look(engine, name.address)
    if image is None:
        say(f"pulling the image `{written}` with {engine.kind}")
        complaint = pull(engine, name.address)
        image = look(engine, name.address)
        if image is None:
            raise Refused(
                f"the image `{written}` is not here, and can't be pulled: {complaint or 'it did not come'}",
                hint=_pull_hint(name),
            )
    if not runs_on(image.platform, answer.platform):
        raise Refused(
            f"the image `{written}` is for {image.platform}; {engine.kind} runs {answer.platform} here",
            hint=f"name an image for {answer.platform}, or remove this one and pull it anew",
        )
    return Resolved(engine, answer, image, _recorded(written, name, image, answer))


def pull(engine: Engine, address: str) -> str:
    """Bring an image from its registry; return why that failed, or nothing."""
    told = engine.ask("pull", "--quiet", address, timeout=None)
    return "" if told.exit_code == 0 else last_words(told) or f"exit code {told.exit_code}"


def find_again(engine: Engine, recorded: Container, say: Say) -> Resolved:
    """The very image that a receipt records, here or from its registry.

    Raises EnvironmentNotRebuilt, with what was found instead; no other image takes its place.
    """
    try:
        answer = answer_of(engine)
        if not runs_on(recorded.platform, answer.platform):
            raise EnvironmentNotRebuilt(
                f"the image {told_of(recorded)} is for {recorded.platform}; "
                f"{engine.kind} runs {answer.platform} here",
                hint=f"repeat it on a machine that runs {recorded.platform}",
            )
        found: list[str] = []
        for image in _candidates(engine, recorded, say, found):
            if is_same(image, recorded):
                record = replace(recorded, engine=answer.kind, version=answer.version)
                return Resolved(engine, answer, image, record)
    except Refused as error:
        raise EnvironmentNotRebuilt(
            f"the image {told_of(recorded)} can't be had: {error.message}", error.hint
        ) from error
    raise EnvironmentNotRebuilt(
        f"the image {told_of(recorded)} is gone: {'; '.join(found)}",
        hint=f"bring it back: `{engine.kind} load` from an archive of it, or push it to its registry again",
    )


def _candidates(engine: Engine, recorded: Container, say: Say, found: list[str]) -> Iterator[Image]:
    """What may be the recorded image, the surest first; what was found instead is noted in `found`."""
    here = look(engine, recorded.config)
    if here is not None:
        yield here
    found.append(f"{engine.kind} has none with its ID here")
    if recorded.repository is not None and recorded.digest is not None:
        address = f"{recorded.repository}@{recorded.digest}"
        say(f"pulling the image `{address}` with {engine.kind}")
        complaint = pull(engine, address)
        image = None if complaint else look(engine, address)
        if image is not None:
            yield image
        found.append(f"`{address}` can't be pulled: {complaint or 'it is another image'}")
    yield from _by_name(engine, recorded, say, found)


def _by_name(engine: Engine, recorded: Container, say: Say, found: list[str]) -> Iterator[Image]:
    """What the stage's own words mean today: a registry may have the image under another digest."""
    name = parse_image(recorded.image)
    if name is None or name.digest is not None:
        return
    image = look(engine, name.address)
    # A tag that is here stays as it is: to pull it would change what it means to the user.
    if image is None and not name.only_here:
        say(f"pulling the image `{recorded.image}` with {engine.kind}")
        complaint = pull(engine, name.address)
        if complaint:
            found.append(f"`{recorded.image}` can't be pulled: {complaint}")
            return
        image = look(engine, name.address)
    if image is None:
        found.append(f"there is no `{recorded.image}`")
        return
    yield image
    found.append(f"`{recorded.image}` is another image now, {image.id[:SHORT]}")


def is_same(image: Image, recorded: Container) -> bool:
    """Whether an image is the recorded one: by its own ID, or by the digest it has in registries."""
    if image.id == recorded.config:
        return True
    digests = {source.digest for source in image.sources}
    return recorded.digest in digests and runs_on(image.platform, recorded.platform)


def told_of(recorded: Container) -> str:
    """An image for people: as it was written, and which one that was."""
    return f"`{recorded.image}` ({recorded.config[:SHORT]})"


def runs_on(image: str, engine: str) -> bool:
    """Whether two platforms are the same system and processor; variants of one processor are."""
    return image.split("/")[:2] == engine.split("/")[:2]


def _recorded(written: str, name: ImageName, image: Image, answer: Answer) -> Container:
    source = _source(name, image)
    return Container(
        image=written,
        config=image.id,
        platform=image.platform,
        engine=answer.kind,
        version=answer.version,
        repository=None if source is None else source.qualified,
        digest=None if source is None else source.digest,
    )


def _source(name: ImageName, image: Image) -> ImageName | None:
    """By which digest the image can be had: from the registry that was named, else from any."""
    if name.digest is not None:
        return name
    usable = [source for source in image.sources if not source.only_here]
    own = [source for source in usable if _is_of(source, name)]
    return next(iter(own or usable), None)


def _is_of(source: ImageName, name: ImageName) -> bool:
    """Whether a repository is the named one; without a registry an engine looks where its user says."""
    if name.registry is not None:
        return source.name == name.name
    return source.qualified == name.qualified or source.name.endswith(f"/{name.name}")


def _pull_hint(name: ImageName) -> str:
    if name.registry is None:
        return f"is its name right? With its registry it would be `{name.qualified}`"
    return "is its name right, and may you read from that registry?"


def _read(data: bytes) -> Image | None:
    """What an engine says of one image."""
    try:
        (told,) = json.loads(data)
        config = told.get("Config") or {}
        digest = str(told["Id"])
        image = Image(
            id=digest if ":" in digest else f"sha256:{digest}",
            platform=_platform(told),
            sources=tuple(_sources(told.get("RepoDigests") or ())),
            variables=dict(_pair(entry) for entry in config.get("Env") or ()),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return image if is_content(image.id) and is_platform(image.platform) else None


def _platform(told: Mapping[str, Any]) -> str:
    variant = str(told.get("Variant") or "")
    return "/".join(filter(None, (str(told["Os"]), str(told["Architecture"]), variant)))


def _sources(addresses: Any) -> Iterator[ImageName]:
    for address in addresses:
        name = parse_image(str(address))
        if name is not None and name.digest is not None:
            yield name


def _pair(entry: Any) -> tuple[str, str]:
    name, _, value = str(entry).partition("=")
    return name, value

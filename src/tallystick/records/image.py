"""Names of container images, read as strictly as registries and engines agree on."""

import re

from tallystick.frozen import dataclass

# The grammar of github.com/distribution/reference, the reference implementation for the OCI distribution
# specification. No name begins with a dash or holds a blank or a shell's character.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_NAME = rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_CONTENT = r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}"

_REFERENCE = rf"({_NAME})(?::({_TAG}))?(?:@({_CONTENT}))?"
_PLATFORM = r"[a-z0-9]{1,32}/[a-z0-9_]{1,32}(?:/[a-z0-9]{1,16})?"
_HEX = r"[0-9a-f]{64}"

LONGEST_NAME = 255
LONGEST = LONGEST_NAME + 1 + 128 + 1 + 7 + 128

HUB = "docker.io"
LOCAL = "localhost"


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image as people write it: a repository, and a tag or the digest of its content."""

    name: str
    tag: str | None = None
    digest: str | None = None

    @property
    def address(self) -> str:
        """What an engine is asked for: a digest leaves nothing to a tag."""
        if self.digest is not None:
            return f"{self.name}@{self.digest}"
        return self.name if self.tag is None else f"{self.name}:{self.tag}"

    @property
    def registry(self) -> str | None:
        """The registry, where one is named."""
        first, slash, _ = self.name.partition("/")
        return first if slash and (first == LOCAL or re.search(r"[.:A-Z]", first)) else None

    @property
    def qualified(self) -> str:
        """The repository with its registry: a name without one is looked for at Docker's."""
        if self.registry is not None:
            return self.name
        return f"{HUB}/{self.name}" if "/" in self.name else f"{HUB}/library/{self.name}"

    @property
    def only_here(self) -> bool:
        """Whether no registry can have it: engines name so what was built on a machine."""
        return self.registry == LOCAL


def parse_image(text: str) -> ImageName | None:
    """Read the name of an image; None for what is none."""
    match = _fits(_REFERENCE, text) if len(text) <= LONGEST else None
    if match is None or len(match[1]) > LONGEST_NAME or is_image_id(text):
        return None
    return ImageName(match[1], match[2], match[3])


def is_image_id(text: str) -> bool:
    """Whether a text is the ID of an image, which no registry knows it by."""
    return _fits(_HEX, text.removeprefix("sha256:")) is not None


def is_repository(text: str) -> bool:
    """Whether a text is the name of a repository, without tag and digest."""
    return len(text) <= LONGEST_NAME and _fits(_NAME, text) is not None


def is_content(text: str) -> bool:
    """Whether a text is a digest as registries write it."""
    return _fits(_CONTENT, text) is not None


def is_platform(text: str) -> bool:
    """Whether a text is a platform as engines write it: `linux/amd64`, `linux/arm64/v8`."""
    return _fits(_PLATFORM, text) is not None


def _fits(pattern: str, text: str) -> re.Match[str] | None:
    # Compiled for the first image: most pipelines name none, and every command would wait for it.
    return re.fullmatch(pattern, text, re.ASCII)

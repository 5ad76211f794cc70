"""An image as rows of plain values, whatever file it came from."""

from tallystick.errors import BadRecord
from tallystick.frozen import dataclass

LARGEST = 1 << 25
"""Bytes of the largest image, unpacked, that is looked into."""

_COLOURS = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, slots=True)
class Image:
    """Rows of `width` pixels of `channels` values of `depth` bits: 8, or 16 in native order."""

    width: int
    height: int
    channels: int
    depth: int
    data: bytes

    @property
    def layout(self) -> str:
        """Size and kind for people."""
        kind = f"{_COLOURS.get(self.channels, str(self.channels))}{' of 16 bits' if self.depth == 16 else ''}"
        return f"{self.width}x{self.height} {kind}"


def check_size(width: int, height: int, bytes_each: int) -> None:
    """Refuse sizes that no sensible image has, before anything is unpacked."""
    if width < 1 or height < 1:
        raise BadRecord("the image has no size")
    if width * height * bytes_each > LARGEST:
        raise BadRecord("the image is too large to be looked into")

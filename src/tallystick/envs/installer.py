"""Finds the program that makes and fills environments."""

from uv import find_uv_bin

from tallystick.process import find


def installer() -> str:
    """Where uv lies: the one that came with us, else one on PATH; raise Refused if there is none."""
    try:
        return find_uv_bin()
    except FileNotFoundError:
        return find("uv")

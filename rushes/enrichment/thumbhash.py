"""A ThumbHash of a picture: about 20 bytes from which a page paints a blurred stand-in. Pure: arrays in, bytes out.

The algorithm is Evan Wallace's (https://evanw.github.io/thumbhash/), for pictures without transparency: one luminance and
two colour channels, each as the low frequencies of a discrete cosine transform, four bits for each of them.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from math import floor

import cv2
import numpy as np
from numpy.typing import NDArray

from rushes.enrichment.picture import Picture

SIDE = 100
"""Longer side in pixels of the copy that is read; more changes nothing in so blurred a picture."""
_FINEST = 7
"""Frequencies of luminance along the longer side."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Channel:
    """The low frequencies of one channel: the mean, the others in 0..1, and the largest of them before that."""

    mean: float
    waves: tuple[float, ...]
    scale: float


def thumbhash(picture: Picture) -> str:
    """The hash in base64, of a uint8 array of shape (height, width, 3), RGB."""
    return b64encode(encode(_shrink(picture))).decode()


def encode(picture: Picture) -> bytes:
    """The hash of a picture that is no larger than SIDE on either side."""
    height, width = picture.shape[:2]
    red, green, blue = (picture[..., number].astype(np.float64) / 255 for number in range(3))
    across, down = (max(1, _round(_FINEST * side / max(width, height))) for side in (width, height))
    light = _channel((red + green + blue) / 3, max(3, across), max(3, down))
    yellow = _channel((red + green) / 2 - blue, 3, 3)
    reddish = _channel(red - green, 3, 3)
    landscape = width > height
    head: int = (
        _round(63 * light.mean) | _round(31.5 + 31.5 * yellow.mean) << 6 | _round(31.5 + 31.5 * reddish.mean) << 12
    )
    head |= _round(31 * light.scale) << 18
    tail: int = (down if landscape else across) | _round(63 * yellow.scale) << 3 | _round(63 * reddish.scale) << 9
    tail |= landscape << 15
    waves = [_round(15 * wave) for channel in (light, yellow, reddish) for wave in channel.waves]
    return head.to_bytes(3, "little") + tail.to_bytes(2, "little") + _nibbles(waves)


def _channel(values: Floats, across: int, down: int) -> Channel:
    """A triangle of the frequencies: none that is high both ways. `values` has the shape (height, width)."""
    height, width = values.shape
    spectrum = _cosines(height, down) @ values @ _cosines(width, across).T / (width * height)
    kept = [
        (row, column)
        for row in range(down)
        for column in range(across)
        if (row or column) and column * down < across * (down - row)
    ]
    waves = [float(spectrum[place]) for place in kept]
    scale = max(map(abs, waves))
    return Channel(float(spectrum[0, 0]), tuple(0.5 + 0.5 * wave / scale if scale else 0.0 for wave in waves), scale)


def _cosines(size: int, count: int) -> Floats:
    """Shape (count, size): the waves 0, 1, ... at the middles of the pixels."""
    return np.cos(np.pi / size * np.outer(np.arange(count), np.arange(size) + 0.5))


def _nibbles(values: list[int]) -> bytes:
    """Two values of four bits in each byte, the earlier one in its lower half."""
    padded = values + [0] * (len(values) % 2)
    return bytes(low | high << 4 for low, high in zip(padded[::2], padded[1::2], strict=True))


def _round(number: float) -> int:
    """Halves upwards, as all implementations do; Python's own goes to the even one."""
    return floor(number + 0.5)


def _shrink(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    factor = min(1.0, SIDE / max(width, height))
    size = (max(1, _round(width * factor)), max(1, _round(height * factor)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

"""The names that labels have: three levels after Amazon Rekognition's moderation taxonomy, version 7. Pure.

Source: Amazon Rekognition Developer Guide, "Using the image and video moderation APIs", label categories. Policies
should decide on levels 1 and 2; level 3 says what exactly was seen.
"""

from __future__ import annotations

from typing import NamedTuple

SECOND_LEVEL: dict[str, tuple[str, ...]] = {
    "Explicit": ("Explicit Nudity", "Explicit Sexual Activity", "Sex Toys"),
    "Non-Explicit Nudity of Intimate Parts and Kissing": (
        "Non-Explicit Nudity",
        "Obstructed Intimate Parts",
        "Kissing on the Lips",
    ),
    "Swimwear or Underwear": ("Female Swimwear or Underwear", "Male Swimwear or Underwear"),
    "Violence": ("Weapons", "Graphic Violence"),
    "Visually Disturbing": ("Death and Emaciation", "Crashes"),
    "Drugs & Tobacco": ("Products", "Drugs & Tobacco Paraphernalia & Use"),
    "Alcohol": ("Alcohol Use", "Alcoholic Beverages"),
    "Rude Gestures": ("Middle Finger",),
    "Gambling": (),
    "Hate Symbols": ("Nazi Party", "White Supremacy", "Extremist"),
}
"""Level 1 -> level 2."""


class Name(NamedTuple):
    """A label's name and what it lies below, nearest first."""

    name: str
    parents: tuple[str, ...]


def below(name: str, second: str) -> Name:
    """A level 3 name below a level 2 one. Raises KeyError where the taxonomy has no such level 2 name."""
    for first, seconds in SECOND_LEVEL.items():
        if second in seconds:
            return Name(name, (second, first))
    raise KeyError(second)


def known(label: str) -> bool:
    """Whether a policy's rule on this name can ever be met by level 1 or 2 of the taxonomy."""
    return label in SECOND_LEVEL or any(label in seconds for seconds in SECOND_LEVEL.values())


_BUTTOCKS = below("Exposed Buttocks or Anus", "Explicit Nudity")

NUDENET: dict[str, Name | None] = {
    "FEMALE_GENITALIA_EXPOSED": below("Exposed Female Genitalia", "Explicit Nudity"),
    "MALE_GENITALIA_EXPOSED": below("Exposed Male Genitalia", "Explicit Nudity"),
    "FEMALE_BREAST_EXPOSED": below("Exposed Female Nipple", "Explicit Nudity"),
    "BUTTOCKS_EXPOSED": _BUTTOCKS,
    "ANUS_EXPOSED": _BUTTOCKS,
    "MALE_BREAST_EXPOSED": below("Exposed Male Nipple", "Non-Explicit Nudity"),
    # What follows is in every picture of dressed people: "covered" says neither swimwear nor underwear.
    "FEMALE_GENITALIA_COVERED": None,
    "FEMALE_BREAST_COVERED": None,
    "BUTTOCKS_COVERED": None,
    "ANUS_COVERED": None,
    "FACE_FEMALE": None,
    "FACE_MALE": None,
    "FEET_EXPOSED": None,
    "FEET_COVERED": None,
    "BELLY_EXPOSED": None,
    "BELLY_COVERED": None,
    "ARMPITS_EXPOSED": None,
    "ARMPITS_COVERED": None,
}
"""NudeNet's classes (3.4) in our names; None where the class is nothing that a moderator looks for."""

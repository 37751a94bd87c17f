"""Text that strangers wrote, made fit for pages, file names and feeds. Pure."""

from __future__ import annotations

import unicodedata

# Controls, surrogates, private and unassigned characters, and format characters: among those are the marks that change
# the direction of the text around them (Unicode Standard Annex 9), with which `gpj.exe` is shown as `exe.jpg`.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_JOINERS = frozenset("\u200c\u200d")  # families of emoji and several scripts are written with them


def one_line(text: str, limit: int) -> str:
    """One line of visible text: no control or direction marks, composed (NFC), at most `limit` characters.

    Doing it twice changes nothing.
    """
    visible = "".join(letter for letter in text if letter.isspace() or not _is_hidden(letter))
    return unicodedata.normalize("NFC", " ".join(visible.split()))[:limit].rstrip()


def _is_hidden(letter: str) -> bool:
    return letter not in _JOINERS and unicodedata.category(letter) in _HIDDEN

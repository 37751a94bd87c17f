"""Where a caption may break, and how much a break there hurts. Pure.

Netflix, English Timed Text Style Guide, "Line Treatment": break after punctuation, before conjunctions and
prepositions; never between article and noun, first and last name, verb and its pronoun, auxiliary and verb.
"""

from __future__ import annotations

from rushes.enrichment.words import Word

SENTENCE = 0.0
CLAUSE = 0.2
BEFORE_LINK = 0.4
ANYWHERE = 1.0
AFTER_ARTICLE = 3.0
INSIDE = 6.0

_SENTENCE_ENDS = ".!?…。！？"
_CLAUSE_ENDS = ",;:—–、，；：)"
_CLOSING = "\"'”’»)]"
_TITLES = frozenset(["mr", "mrs", "ms", "dr", "prof", "st"])
_LINK_WORDS = """
    and but or nor so yet because although though while when where which who that if unless until since than as
    about above across after against along among around at before behind below beneath beside between beyond by
    despite down during except for from in inside into like near of off on onto out over past through throughout to
    toward towards under underneath up upon with within without
"""
_LEANING_WORDS = """
    a an the this these those my your his her its our their no every each i you he she it we they i'm you're he's
    she's it's we're they're is are was were be been am do does did has have had will would can could shall should
    may might must don't won't can't to of very
"""
_LINKS = frozenset(_LINK_WORDS.split())
_LEANING = frozenset(_LEANING_WORDS.split())


def cost(before: Word, after: Word) -> float:
    """How much it hurts to break between two neighbours: 0 after a sentence, 6 inside a word."""
    text = before.text.rstrip(_CLOSING) or before.text
    if text.lower().rstrip(".") in _TITLES:
        return AFTER_ARTICLE
    if text[-1:] in _SENTENCE_ENDS:
        return SENTENCE
    if text[-1:] in _CLAUSE_ENDS:
        return CLAUSE
    if after.glued:
        return INSIDE if text[-1:].isascii() else ANYWHERE
    if before.text.lower() in _LEANING:
        return AFTER_ARTICLE
    return BEFORE_LINK if after.text.lower().strip(_CLAUSE_ENDS + _SENTENCE_ENDS) in _LINKS else ANYWHERE

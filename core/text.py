"""Text that is what it looks like: invisible characters refused on the way in, made visible on the way out."""

from __future__ import annotations

import unicodedata

from core.errors import Invalid

_REFUSED = {
    "Cc": "a control character",
    "Cf": "a format character",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
    "Cs": "a lone surrogate",
    "Co": "a private use character",
}

_BLANK = frozenset(
    [
        0x034F,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        0x180B,
        0x180C,
        0x180D,
        0x180F,
        0x2800,
        0x3164,
        0xFFA0,
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    ]
)
"""Drawn as nothing, though Unicode files them under letters, marks and symbols (fillers, variation selectors)."""

_TYPED = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f\uff02", '"')
    | dict.fromkeys("\u2018\u2019\u201a\u201b\uff07", "'")
    | dict.fromkeys("\u2014\u2015", "--")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-")
    | dict.fromkeys(
        "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
        " ",
    )
)
"""What phones and word processors make of typed quotes, hyphens and spaces -> what was typed (`--` becomes an em dash)."""


def _why(character: str) -> str | None:
    """What is wrong with `character`, in words; None when it shows what it is."""
    code = ord(character)
    if code < 0x7F:
        return _REFUSED["Cc"] if code < 0x20 else None
    if code in _BLANK:
        return "an invisible character"
    if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return "not a character"
    return _REFUSED.get(unicodedata.category(character))


def refuse_invisible(text: str, *, multiline: bool = False) -> None:
    """`text` holds only characters that show what they are; with `multiline` also line feeds and tabs.

    Raises Invalid (`invalid_characters`) naming the first other one by code point and position (from 1).
    """
    if text.isascii() and text.isprintable():
        return
    for position, character in enumerate(text, start=1):
        why = _why(character)
        if why is None or (multiline and character in "\n\t"):
            continue
        point = f"U+{ord(character):04X}"
        raise Invalid(
            "invalid_characters",
            f"{point} at position {position} is {why}; nobody could see it there. Type it again without.",
            code_point=point,
            position=position,
        )


def show(text: str, *, multiline: bool = False) -> str:
    """`text` with everything invisible written out, as in `⟨U+202E⟩`; with `multiline` line feeds and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _why(c) is None or (multiline and c in "\n\t") else f"⟨U+{ord(c):04X}⟩" for c in text)


def normalise_typing(text: str) -> str:
    """Command text as its keyboard meant it: straight quotes, hyphens for dashes (two for an em dash), plain spaces."""
    return text if text.isascii() else text.translate(_TYPED)

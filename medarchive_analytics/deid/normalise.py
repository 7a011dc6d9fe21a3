"""Bring a text into one form for matching, and every offset back to the text as written."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

_ONE_TO_ONE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_ONE_TO_ONE |= dict.fromkeys([0x3000, 0xA0, 0x202F, 0x205F, 0x1680, *range(0x2000, 0x200B), 0x0B, 0x0C], 0x20)
_ONE_TO_ONE |= dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0xFE63, 0xFE58], 0x2D)
_ONE_TO_ONE |= dict.fromkeys([0x2019, 0x2018, 0x02BC], 0x27)
_ONE_TO_ONE |= dict.fromkeys([0x2022, 0x30FB, 0x2027, 0x25CF, 0xFF65, 0x2E31], 0xB7)
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
# ß, İ and the like grow when lower-cased; matching needs one letter for one letter.
_GROWS = {0x130: 0x69, 0x1E9E: 0x73}


@dataclass(frozen=True, repr=False)
class Normalised:
    """A normalised text and the way back.

    Parameters
    ----------
    text : str
        Normalised text.
    positions : tuple of int or None
        Source offset of each character, or None when they are the same.
    source_length : int
        Length of the text as written.
    """

    text: str
    positions: tuple[int, ...] | None
    source_length: int

    def to_source(self, start: int, end: int) -> tuple[int, int]:
        """Map a span of the normalised text to the text as written.

        Parameters
        ----------
        start, end : int
            Offsets in the normalised text, end exclusive and larger than start.

        Returns
        -------
        tuple of (int, int)
            Offsets in the source; invisible characters between are inside the span.
        """
        if self.positions is None:
            return start, end
        return self.positions[start], self.positions[end - 1] + 1

    def from_source(self, start: int, end: int) -> tuple[int, int]:
        """Map a source span to the normalised text (invisible characters at its edges fall away).

        Parameters
        ----------
        start, end : int
            Offsets in the source.

        Returns
        -------
        tuple of (int, int)
            Offsets in the normalised text.
        """
        if self.positions is None:
            return start, end
        return bisect_left(self.positions, start), bisect_left(self.positions, end)


def normalise(text: str) -> Normalised:
    """Unify full-width forms, spaces, dashes and dots; take out invisible characters.

    Parameters
    ----------
    text : str
        Text as written.

    Returns
    -------
    Normalised
        Text of the same reading, with offsets back.

    Examples
    --------
    >>> n = normalise("电话：１３８\u200b0013")
    >>> n.text
    '电话:1380013'
    >>> n.to_source(3, 10)
    (3, 11)
    """
    unified = text.translate(_ONE_TO_ONE)
    if not _INVISIBLE.search(unified):
        return Normalised(unified, None, len(text))
    kept = tuple(i for i, char in enumerate(unified) if not _INVISIBLE.match(char))
    return Normalised("".join(unified[i] for i in kept), kept, len(text))


def lower(text: str) -> str:
    """Lower-case letter by letter, keeping the length.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Same length, lower case.
    """
    low = text.translate(_GROWS).lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


@dataclass(frozen=True, repr=False)
class Condensed:
    """Letters, digits and Han characters only, lower case, with the way back to the normalised text.

    Parameters
    ----------
    text : str
        Condensed text.
    positions : list of int
        Offset of each character in the normalised text.
    """

    text: str
    positions: list[int]


_WORD = re.compile(r"[^\W_]+")


def condense(normalised: str) -> Condensed:
    """Drop everything that is no letter or digit, so that spaced and hyphenated forms become one form.

    Parameters
    ----------
    normalised : str
        Output of `normalise`.

    Returns
    -------
    Condensed
        For matching known identifiers.

    Examples
    --------
    >>> condense("张 伟 138-0013").text
    '张伟1380013'
    """
    words, positions = [], []
    for match in _WORD.finditer(lower(normalised)):
        words.append(match.group())
        positions.extend(range(match.start(), match.end()))
    return Condensed("".join(words), positions)

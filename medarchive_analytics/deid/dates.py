"""Read a written date, move it, and write it again in the form it had."""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

HAN_DIGITS = "〇一二三四五六七八九"
_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"]  # fmt: skip
MONTH_NAME = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
    r"|JAN(?:UARY)?|FEB(?:RUARY)?|MAR(?:CH)?|APR(?:IL)?|MAY|JUNE?|JULY?|AUG(?:UST)?|SEPT?(?:EMBER)?|OCT(?:OBER)?|NOV(?:EMBER)?|DEC(?:EMBER)?)\.?"
)
_H = "[〇零○一二三四五六七八九]"
_HN = "[一二三四五六七八九十]{1,3}"
_Y4 = "(?:19|20)[0-9]{2}"

SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ymd", re.compile(rf"(?<![0-9.])(?P<y>{_Y4}) ?(?P<s1>[-/.年]) ?(?P<m>[0-9]{{1,2}}) ?(?P<s2>[-/.月]) ?(?P<d>[0-9]{{1,2}})(?![0-9])(?P<tail>日|号)?")),
    ("y2md", re.compile(r"(?<![0-9])(?P<y>[0-9]{2})(?P<s1>年)(?P<m>[0-9]{1,2})(?P<s2>月)(?P<d>[0-9]{1,2})(?P<tail>日|号)")),
    ("y2md", re.compile(r"(?<![0-9.\-/v])(?P<y>[0-9]{2})(?P<s1>[.])(?P<m>[0-9]{1,2})(?P<s2>[.])(?P<d>[0-9]{1,2})(?![0-9.]|[ ]?(?:%|mg|ml|cm|mm|×))(?P<tail>)")),
    ("y2md", re.compile(r"(?<![0-9.\-/])(?P<y>[0-9]{2})(?P<s1>-)(?P<m>0[1-9]|1[0-2])(?P<s2>-)(?P<d>0[1-9]|[12][0-9]|3[01])(?![0-9\-/])(?P<tail>)")),
    ("ym", re.compile(rf"(?<![0-9])(?P<y>{_Y4}) ?(?P<s1>年) ?(?P<m>[0-9]{{1,2}}) ?(?P<s2>月)(?!\s?[0-9]{{1,2}}[日号])(?:份)?")),
    ("ym", re.compile(rf"(?<![0-9.\-/])(?P<y>{_Y4})(?P<s1>[-/.])(?P<m>0?[1-9]|1[0-2])(?P<s2>)(?![0-9.\-/]|[ ]?[年%×*])")),
    ("han", re.compile(rf"(?P<y>{_H}{{4}})年(?P<m>{_HN})月(?:(?P<d>{_HN})[日号])?")),
    ("hanmd", re.compile(rf"(?<![〇零○一二三四五六七八九十年])(?P<m>{_HN})月(?P<d>{_HN})[日号]")),
    ("md", re.compile(r"(?<![0-9年.])(?P<m>1[0-2]|0?[1-9]) ?月 ?(?P<d>3[01]|[12][0-9]|0?[1-9]) ?[日号](?![0-9])")),
    ("mdy", re.compile(r"(?<![0-9.\-/])(?P<m>[0-9]{1,2})(?P<s1>[/\-.])(?P<d>[0-9]{1,2})(?P=s1)(?P<y>(?:19|20)[0-9]{2}|[0-9]{2})(?![0-9/%\-]|\.[0-9])")),
    ("Mdy", re.compile(rf"(?<![A-Za-z])(?P<M>{MONTH_NAME}) ?(?P<d>[0-9]{{1,2}})(?P<o>st|nd|rd|th)?(?P<c>,? (?:of )?|, ?)(?P<y>{_Y4})(?![0-9])")),
    ("dMy", re.compile(rf"(?<![0-9A-Za-z.])(?P<d>[0-9]{{1,2}})(?P<o>st|nd|rd|th)?(?P<c1>[ \-](?:of )?)(?P<M>{MONTH_NAME})(?P<c2>,? ?|-)(?P<y>{_Y4}|[0-9]{{2}}(?![0-9:]))(?![0-9])")),
    ("My", re.compile(rf"(?<![A-Za-z])(?P<M>{MONTH_NAME})(?P<c>,? (?:of )?|-)(?P<y>{_Y4})(?![0-9])")),
    ("Md", re.compile(rf"(?<![A-Za-z])(?P<M>{MONTH_NAME}) (?P<d>3[01]|[12][0-9]|0?[1-9])(?P<o>st|nd|rd|th)?(?![0-9A-Za-z./%]|,? ?(?:19|20)[0-9]{{2}}| ?(?:mg|ml|mcg|g|kg|cm|mm|%|times|tablets|units)(?![a-z]))")),
    ("dM", re.compile(rf"(?<![0-9A-Za-z./])(?P<d>3[01]|[12][0-9]|0?[1-9])(?P<o>st|nd|rd|th)? (?:of )?(?P<M>{MONTH_NAME})(?![A-Za-z]|,? ?(?:19|20)[0-9]{{2}}| (?:be|not|have|need|also|require)(?![a-z]))")),
    ("mdslash", re.compile(r"(?<![A-Za-z])(?i:on|since|until|till|from|through|thru|dated?|by|seen|of|between|and|to|admitted|discharged|starting|ending|appt|appointment|visit|f/u) (?P<value>(?P<m>1[0-2]|0?[1-9])/(?P<d>3[01]|[12][0-9]|0?[1-9]))(?![0-9/%]| ?(?:strength|mg|ml|pain|systolic|murmur|bilaterally|power|lead|words|points))")),
    ("compact", re.compile(r"(?<![0-9A-Za-z.])(?P<y>(?:19|20)[0-9]{2})(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12][0-9]|3[01])(?P<t>[0-9]{4}(?:[0-9]{2})?)?(?![0-9A-Za-z])")),
)  # fmt: skip


def _han_number(text: str) -> int:
    if "十" not in text:
        return int("".join(str("〇一二三四五六七八九".index(c.replace("零", "〇").replace("○", "〇"))) for c in text))
    tens, _, ones = text.partition("十")
    return (HAN_DIGITS.index(tens) if tens else 1) * 10 + (HAN_DIGITS.index(ones) if ones else 0)


def _to_han(value: int) -> str:
    if value < 10:
        return HAN_DIGITS[value]
    tens, ones = divmod(value, 10)
    return ("" if tens == 1 else HAN_DIGITS[tens]) + "十" + (HAN_DIGITS[ones] if ones else "")


def _year(text: str) -> int:
    value = int(text)
    return value if value > 99 else (2000 + value if value <= 49 else 1900 + value)


def read(shape: str, match: re.Match[str]) -> tuple[int | None, int, int | None] | None:
    """Return (year, month, day) of a match, or None when it is no date.

    Parameters
    ----------
    shape : str
        Name of the shape.
    match : re.Match
        Match of that shape.

    Returns
    -------
    tuple of (int or None, int, int or None), or None
        Year and day may be missing.
    """
    groups = match.groupdict()
    try:
        if shape in ("han", "hanmd"):
            year = None
            if groups.get("y"):
                year = int("".join(str(HAN_DIGITS.index("〇" if c in "零○" else c)) for c in groups["y"]))
            month = _han_number(groups["m"])
            day = _han_number(groups["d"]) if groups.get("d") else None
        else:
            year = _year(groups["y"]) if groups.get("y") else None
            if groups.get("M"):
                month = next(
                    i for i, name in enumerate(_MONTHS, 1) if name.startswith(groups["M"].lower().rstrip(".")[:3])
                )
            else:
                month = int(groups["m"])
            day = int(groups["d"]) if groups.get("d") else None
        if shape == "mdy" and month > 12 >= (day or 0):
            month, day = day, month  # day first, as in most of the world
        dt.date(year or 2000, month, day or 1)
    except (ValueError, StopIteration, TypeError):
        return None
    return year, month, day


def guess_year(month: int, day: int, near: Sequence[dt.date]) -> int | None:
    """Return the year of a date written without one, from the nearest visit.

    Parameters
    ----------
    month, day : int
        What is written.
    near : sequence of datetime.date
        Days of the person's visits.

    Returns
    -------
    int or None
        None when there is no visit, or when visits of several years fit.
    """
    best: dict[int, int] = {}
    for visit in near:
        for year in (visit.year - 1, visit.year, visit.year + 1):
            try:
                distance = abs((dt.date(year, month, day) - visit).days)
            except ValueError:
                continue
            if distance <= 183:
                best[year] = min(distance, best.get(year, 999))
    if not best:
        return None
    order = sorted(best, key=best.get)
    if len(order) > 1 and best[order[1]] <= 92:
        return None
    return order[0]


def _pad(value: int, like: str) -> str:
    return f"{value:02d}" if len(like) == 2 else str(value)


def _ordinal(day: int) -> str:
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _month_like(month: int, like: str) -> str:
    bare = like.rstrip(".")
    name = _MONTHS[month - 1].capitalize()
    if len(bare) <= 4 and bare.lower() not in ("june", "july"):
        name = name[:3]
    if bare.lower() == "may":
        name = _MONTHS[month - 1].capitalize()
    name += "." if like.endswith(".") else ""
    return name.upper() if bare.isupper() else name


def write(shape: str, match: re.Match[str], day: dt.date) -> str:
    """Write a day in the form of a match.

    Parameters
    ----------
    shape : str
        Name of the shape.
    match : re.Match
        The date as it was written.
    day : datetime.date
        The day to write.

    Returns
    -------
    str
        Same separators, padding, script and letter case.
    """
    g = match.groupdict()
    year = ""
    if g.get("y"):
        year = "".join(HAN_DIGITS[int(c)] for c in str(day.year)) if shape == "han" else str(day.year)
        year = year[-2:] if len(g["y"]) == 2 else year
    match shape:
        case "ymd" | "y2md":
            return f"{year}{g['s1']}{_pad(day.month, g['m'])}{g['s2']}{_pad(day.day, g['d'])}{g['tail'] or ''}"
        case "ym":
            return f"{year}{g['s1']}{_pad(day.month, g['m'])}{g['s2']}"
        case "han":
            return f"{year}年{_to_han(day.month)}月" + (f"{_to_han(day.day)}日" if g["d"] else "")
        case "hanmd":
            return f"{_to_han(day.month)}月{_to_han(day.day)}日"
        case "md":
            return f"{_pad(day.month, g['m'])}月{_pad(day.day, g['d'])}日"
        case "mdy":
            first, second = (day.day, day.month) if int(g["m"]) > 12 else (day.month, day.day)
            return f"{_pad(first, g['m'])}{g['s1']}{_pad(second, g['d'])}{g['s1']}{year}"
        case "Mdy":
            return f"{_month_like(day.month, g['M'])} {day.day}{_ordinal(day.day) if g['o'] else ''}{g['c']}{year}"
        case "dMy":
            return f"{_pad(day.day, g['d'])}{_ordinal(day.day) if g['o'] else ''}{g['c1']}{_month_like(day.month, g['M'])}{g['c2']}{year}"
        case "My":
            return f"{_month_like(day.month, g['M'])}{g['c']}{year}"
        case "Md":
            return f"{_month_like(day.month, g['M'])} {day.day}{_ordinal(day.day) if g['o'] else ''}"
        case "dM":
            return f"{day.day}{_ordinal(day.day) if g['o'] else ''} {_month_like(day.month, g['M'])}"
        case "mdslash":
            return f"{_pad(day.month, g['m'])}/{_pad(day.day, g['d'])}"
        case "compact":
            return f"{day:%Y%m%d}{g['t'] or ''}"
        case _:
            raise ValueError(f"no writer for date shape {shape}")


def find_shape(text: str) -> tuple[str, re.Match[str], tuple[int | None, int, int | None] | None] | None:
    """Recognise a text that is one written date as a whole.

    Parameters
    ----------
    text : str
        Normalised span.

    Returns
    -------
    tuple or None
        Shape, match and (year, month, day); None when no shape covers the whole text.
    """
    for shape, pattern in SHAPES:
        match = pattern.fullmatch(text) if shape != "mdslash" else pattern.fullmatch("on " + text)
        if match:
            return shape, match, read(shape, match)
    return None

"""The shape of a recogniser, and the roster of all recognisers found in ``deid/recognizers/``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from re import Pattern

from .results import Span


@dataclass(frozen=True)
class Rule:
    """One pattern of a recogniser.

    Parameters
    ----------
    name : str
        Rule id shown on screen.
    pattern : re.Pattern
        Searched in normalised text. A group named ``value`` limits the span.
    score : float
        Score of a hit that passes.
    accept : callable or None
        Given the match, returns whether it counts, or a (start, end) that replaces the span.
    layer : str
        ``pattern`` or ``label``.
    """

    name: str
    pattern: Pattern[str]
    score: float = 0.9
    accept: Callable | None = None
    layer: str = "pattern"


@dataclass(frozen=True)
class Recognizer:
    """One identifier type: its rules, its check and what it needs in a text to be worth a search.

    Parameters
    ----------
    entity : str
        Entity type of the spans.
    rules : tuple of Rule
        Patterns.
    validate : callable or None
        Checks a value as written; None where the type has no check digit.
    needs : str
        ``digit``, a character, or empty: a cheap prefilter over the whole text.
    languages : tuple of str
        Languages the type occurs in.
    """

    entity: str
    rules: tuple[Rule, ...]
    validate: Callable[[str], bool] | None = None
    needs: str = ""
    languages: tuple[str, ...] = ("zh", "en")

    def find(self, text: str) -> Iterator[Span]:
        """Yield spans in a normalised text.

        Parameters
        ----------
        text : str
            Normalised text.

        Yields
        ------
        Span
            Offsets in the normalised text.
        """
        for rule in self.rules:
            group = "value" if "value" in rule.pattern.groupindex else 0
            for match in rule.pattern.finditer(text):
                start, end = match.span(group)
                if rule.accept is not None:
                    verdict = rule.accept(match)
                    if not verdict:
                        continue
                    if verdict is not True:
                        start, end = verdict
                if end > start:
                    yield Span(start, end, self.entity, rule.score, rule.layer, rule.name)


@cache
def roster() -> dict[str, Recognizer]:
    """Return every recogniser of the package, by module name.

    Returns
    -------
    dict of str to Recognizer
        Found by scanning ``deid/recognizers/``; a module without ``RECOGNIZER`` is an error.
    """
    from . import recognizers

    names = sorted(info.name for info in pkgutil.iter_modules(recognizers.__path__) if not info.name.startswith("_"))
    return {name: importlib.import_module(f"{recognizers.__name__}.{name}").RECOGNIZER for name in names}

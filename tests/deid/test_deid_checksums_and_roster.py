"""R13: check-digit vectors from the standards, and the roster of recognisers."""

import pkgutil
import random
import re

import pytest

from medarchive_analytics.deid import recognizers
from medarchive_analytics.deid.recognition import Recognizer, roster
from medarchive_analytics.deid.recognizers import bank_card, resident_id, social_credit_code


@pytest.mark.parametrize(
    "value", ["11010519491231002X", "440524188001010014", "34052419800101001X", "34052419800101001x"]
)
def test_resident_id_vectors_r13(value):
    """R13: published vectors of GB 11643 pass; any one changed digit fails (MOD 11-2 finds all single errors)."""
    assert resident_id.is_valid(value)
    for i in range(17):
        for digit in "0123456789":
            if digit != value[i]:
                assert not resident_id.is_valid(value[:i] + digit + value[i + 1 :])


@pytest.mark.parametrize("value", ["91330100799655058B", "91440300708461136T"])
def test_social_credit_code_vectors_r13(value):
    """R13: published vectors of GB 32100 pass; a changed check character fails."""
    assert social_credit_code.is_valid(value)
    assert not any(social_credit_code.is_valid(value[:17] + c) for c in "0123456789ACDEFGH" if c != value[17])


def test_luhn_against_a_slow_table_r13():
    """R13: Luhn agrees with a table-driven second implementation on random cards."""
    doubled = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
    rng = random.Random(3)
    for _ in range(500):
        card = "".join(rng.choice("0123456789") for _ in range(rng.randint(13, 19)))
        odd = sum(int(c) for c in card[-1::-2])
        even = sum(doubled[int(c)] for c in card[-2::-2])
        assert bank_card.is_valid(card) == ((odd + even) % 10 == 0)
    assert bank_card.is_valid("4111 1111 1111 1111")


def test_every_recogniser_file_is_in_the_roster_and_documented_r13():
    """R13: each file of the package is found by the scan, holds one recogniser and states standard, layout and check."""
    files = {i.name for i in pkgutil.iter_modules(recognizers.__path__)}
    assert set(roster()) == files and len(files) >= 16
    for name, recognizer in roster().items():
        assert isinstance(recognizer, Recognizer) and recognizer.rules
        module = __import__(f"{recognizers.__name__}.{name}", fromlist=["x"])
        for word in ("Standard", "Layout", "Check", "Example", "easured"):
            assert word in module.__doc__, f"{name} does not state {word}"


def test_no_word_boundary_beside_han_r13():
    """R13: no pattern relies on a word boundary, which fails beside Han characters."""
    for name, recognizer in roster().items():
        for rule in recognizer.rules:
            assert not re.search(r"\\b", rule.pattern.pattern), f"{name}.{rule.name} uses a word boundary"
            assert not re.search(r"\\d", rule.pattern.pattern), f"{name}.{rule.name} uses \\d"

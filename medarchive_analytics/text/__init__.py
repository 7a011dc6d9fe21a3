"""Clinical language, Chinese and English: sections, sentences, terms, assertions, and the facts they make (R3)."""

from __future__ import annotations

from .facts import FACT_COLUMNS, Fact, extract_facts, facts_of
from .sentences import Sentence, detect_language, sentences_of

__all__ = ["FACT_COLUMNS", "Fact", "Sentence", "detect_language", "extract_facts", "facts_of", "sentences_of"]

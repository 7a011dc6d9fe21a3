"""Our detector behind Presidio's interface, offline: Presidio users get Chinese and English from one recogniser.

The batch path of this project does not go through ``AnalyzerEngine``; see docs/explanation/deidentification.md.
"""

from __future__ import annotations

import spacy
from presidio_analyzer import AnalyzerEngine, LocalRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts, SpacyNlpEngine

from .conflicts import resolve
from .known import KnownPerson, SiteKnowledge
from .matcher import find_forms, find_loose, person_forms, site_forms
from .normalise import condense, normalise
from .recognition import roster
from .text import find_patterns

LANGUAGES = ("en", "zh")


class BlankNlpEngine(SpacyNlpEngine):
    """A spaCy engine on blank pipelines that never downloads anything."""

    def __init__(self) -> None:
        super().__init__(models=[{"lang_code": code, "model_name": "blank"} for code in LANGUAGES])
        self.nlp = {code: spacy.blank(code) for code in LANGUAGES}

    def load(self) -> None:
        """Do nothing: the pipelines are made in the constructor."""


class MedArchiveRecognizer(LocalRecognizer):
    """All identifier types of this project as one Presidio recogniser.

    Parameters
    ----------
    supported_language : {"en", "zh"}
        Presidio asks for one language per recogniser; both find Chinese and English.
    person : KnownPerson or None
        Known identifiers of whose text it is, for ad-hoc use.
    site : SiteKnowledge or None
        Staff and institutions.
    """

    def __init__(
        self, supported_language: str = "zh", person: KnownPerson | None = None, site: SiteKnowledge | None = None
    ) -> None:
        self._person, self._site = person, site
        entities = sorted({r.entity for r in roster().values()} | {"STAFF", "STAFF_ID", "BIRTH_DATE"})
        super().__init__(entities, "MedArchiveRecognizer", supported_language)

    def load(self) -> None:
        """Compile the recognisers."""
        roster()

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Return identifiers of the wanted types.

        Parameters
        ----------
        text : str
            As written.
        entities : list of str
            Wanted types; empty means all.
        nlp_artifacts : NlpArtifacts or None
            Not used: blank pipelines carry no lemmas.

        Returns
        -------
        list of RecognizerResult
            Disjoint, in order.
        """
        normal = normalise(text)
        spans = find_patterns(normal.text)
        condensed = condense(normal.text)
        if self._site is not None:
            spans += find_forms(site_forms(self._site), normal.text, condensed, "site")
        if self._person is not None:
            forms = person_forms(self._person)
            spans += find_forms(forms, normal.text, condensed, "known") + find_loose(forms, normal.text)
        return [
            RecognizerResult(
                entity_type=span.type,
                start=normal.to_source(span.start, span.end)[0],
                end=normal.to_source(span.start, span.end)[1],
                score=span.score,
                recognition_metadata={
                    RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                    RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
                    "layer": span.layer,
                    "rule": span.rule,
                },
            )
            for span in resolve(spans, normal.text)
            if not entities or span.type in entities
        ]


def build_analyzer_engine(site: SiteKnowledge | None = None) -> AnalyzerEngine:
    """Return a Presidio engine for zh and en that needs no model and no network.

    Parameters
    ----------
    site : SiteKnowledge or None
        Staff and institutions to recognise.

    Returns
    -------
    presidio_analyzer.AnalyzerEngine
        Holds our recogniser once per language and nothing else.
    """
    registry = RecognizerRegistry(
        recognizers=[MedArchiveRecognizer(code, site=site) for code in LANGUAGES], supported_languages=list(LANGUAGES)
    )
    return AnalyzerEngine(registry=registry, nlp_engine=BlankNlpEngine(), supported_languages=list(LANGUAGES))

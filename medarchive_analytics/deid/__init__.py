"""De-identification: the boundary between the identified archive and everything research may see."""

from .batch import deidentify_batch
from .jsonl import JsonlDeidentifier, deid_jsonl
from .keys import SurrogateKey
from .known import KnownPerson, SiteKnowledge
from .policy import DeidPolicy, load_policy
from .residual import scan_residual
from .results import DeidentifiedText, Finding, Span
from .risk import RiskReport, apply_risk_rule
from .tables import DeidentifiedTables, deidentify_tables, known_persons
from .text import TextDeidentifier

__all__ = [
    "DeidPolicy",
    "DeidentifiedTables",
    "DeidentifiedText",
    "Finding",
    "JsonlDeidentifier",
    "KnownPerson",
    "RiskReport",
    "SiteKnowledge",
    "Span",
    "SurrogateKey",
    "TextDeidentifier",
    "apply_risk_rule",
    "deid_jsonl",
    "deidentify_batch",
    "deidentify_tables",
    "known_persons",
    "load_policy",
    "scan_residual",
]

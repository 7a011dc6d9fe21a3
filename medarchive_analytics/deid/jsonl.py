"""JSON Lines in, JSON Lines out: the work behind ``medarchive deid text``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from .keys import SurrogateKey
from .known import KnownPerson, SiteKnowledge
from .policy import DeidPolicy
from .text import TextDeidentifier

_ENCOUNTER = ("admission_no", "encounter_id", "bed", "admit_time", "discharge_time")


class JsonlDeidentifier:
    """De-identify JSON Lines one by one, counting what was done.

    Parameters
    ----------
    policy, key, site : DeidPolicy, SurrogateKey, SiteKnowledge
        As for `TextDeidentifier`.
    language : {"auto", "zh", "en"}
        Language of placeholders.
    is_spans_only : bool
        Leave the rewritten text out.
    """

    def __init__(
        self,
        policy: DeidPolicy,
        key: SurrogateKey,
        site: SiteKnowledge | None = None,
        language: str = "auto",
        is_spans_only: bool = False,
    ) -> None:
        self._deidentifier = TextDeidentifier(policy, key, site)
        self._language, self._is_spans_only = language, is_spans_only
        self.counts = {"lines": 0, "texts": 0, "spans": 0, "quarantined": 0, "errors": 0}

    def run(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield one JSON line per input line that is not blank.

        Parameters
        ----------
        lines : iterable of str
            ``{"id", "text", "known"?}``.

        Yields
        ------
        str
            ``{"id", "text", "spans"}`` or ``{"line", "error"}`` without content.
        """
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            self.counts["lines"] += 1
            record, error = _parse(line)
            if error:
                self.counts["errors"] += 1
                yield json.dumps({"line": number, "error": error})
            else:
                yield json.dumps(self._one(record), ensure_ascii=False)

    def _one(self, record: dict) -> dict:
        known = record.get("known")
        person = _person(known, record["id"]) if known else None
        result = self._deidentifier.deidentify(record["text"], person, self._language, scope=str(record["id"]))
        self.counts["texts"] += 1
        self.counts["spans"] += len(result.spans)
        self.counts["quarantined"] += result.is_quarantined
        out = {"id": record["id"]}
        if not self._is_spans_only:
            out["text"] = result.text
        out["spans"] = [{"start": s.start, "end": s.end, "type": s.type, "score": s.score} for s in result.spans]
        if result.is_quarantined:
            out["quarantined"] = True
        return out


def _person(known: dict, scope: object) -> KnownPerson:
    person = KnownPerson.from_rows(known, [{k: v for k, v in known.items() if k in _ENCOUNTER}])
    return person if person.mrn else KnownPerson(**{**vars(person), "mrn": f"\0{scope}"})


def _parse(line: str) -> tuple[dict, str | None]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}, "not_json"
    if not isinstance(record, dict):
        return {}, "not_an_object"
    if "id" not in record:
        return {}, "no_id"
    if not isinstance(record["id"], str | int):
        return {}, "id_is_no_text_or_number"
    if not isinstance(record.get("text"), str):
        return {}, "no_text"
    known = record.get("known")
    if known is not None and not isinstance(known, dict):
        return {}, "known_is_no_object"
    try:
        record["text"].encode("utf-8")
    except UnicodeEncodeError:
        return {}, "text_is_not_unicode"
    return record, None


def deid_jsonl(
    lines: Iterable[str],
    policy: DeidPolicy,
    key: SurrogateKey,
    site: SiteKnowledge | None = None,
    language: str = "auto",
    is_spans_only: bool = False,
) -> Iterator[str]:
    """De-identify JSON Lines; see `JsonlDeidentifier` for counts.

    Parameters
    ----------
    lines : iterable of str
        ``{"id", "text", "known": {...}?}``; ``known`` maps columns of ``patient`` (and admission_no, encounter_id, bed,
        admit_time, discharge_time) to a value or a list.
    policy, key, site : DeidPolicy, SurrogateKey, SiteKnowledge
        As for `TextDeidentifier`.
    language : {"auto", "zh", "en"}
        Language of placeholders.
    is_spans_only : bool
        Leave the rewritten text out.

    Returns
    -------
    iterator of str
        JSON lines, offsets in characters of the input text.
    """
    return JsonlDeidentifier(policy, key, site, language, is_spans_only).run(lines)

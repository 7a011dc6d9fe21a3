"""From one FHIR R4 resource to rows of the filing tables: one small function per resource type, found by its name.

A resource type that is known but has no place in a filing table (claims, provenance …) is filed whole as ``administrative``. A
type that FHIR R4 does not have is no resource and is quarantined by the caller.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

Row = dict[str, str | None]
Tagged = tuple[str, Row]

EXTENSION = "https://medarchive.invalid/fhir/"
_SYSTEMS = {
    "http://snomed.info/sct": "SNOMED",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RXNORM",
    "http://loinc.org": "LOINC",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://hl7.org/fhir/sid/icd-10": "ICD10",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD10CM",
    "http://hl7.org/fhir/sid/icd-9-cm": "ICD9CM3",
}
_VISIT = {
    "AMB": "outpatient", "VR": "outpatient", "HH": "outpatient", "OBSENC": "inpatient", "SS": "outpatient",
    "IMP": "inpatient", "ACUTE": "inpatient", "NONAC": "inpatient", "PRENC": "outpatient", "EMER": "emergency", "FLD": "emergency",
}  # fmt: skip
_DISPOSITION = {"home": "home", "exp": "death", "other-hcf": "transfer", "aadvice": "against_advice", "oth": "other"}
_MARITAL = {"M": "married", "S": "single", "D": "divorced", "W": "widowed", "U": "single", "UNK": "unknown"}
_NOTE_CLASS = {
    "18842-5": "discharge_summary", "34117-2": "admission_note", "11506-3": "progress_note", "11488-4": "consultation",
    "11504-8": "operation_note", "18748-4": "imaging_report", "11526-1": "pathology_report", "34746-8": "nursing_record",
    "34108-1": "outpatient_note", "69730-0": "death_record", "64297-5": "death_record", "51847-2": "admission_note",
}  # fmt: skip


class UnusableResource(Exception):
    """A resource that lacks what filing needs; carries the reason and the element."""

    def __init__(self, reason: str, element: str) -> None:
        super().__init__(reason)
        self.reason, self.element = reason, element


class References:
    """Turns references of one delivery into the numbers the filing tables use."""

    def __init__(self) -> None:
        self._targets: dict[str, str] = {}
        self._offset: timezone | None = None

    def learn(self, resource: dict[str, Any], full_url: str | None) -> None:
        """Remember under which names a resource may be referred to.

        Parameters
        ----------
        resource : dict
            Any resource.
        full_url : str or None
            Its ``fullUrl`` in a bundle.
        """
        kind, number = resource["resourceType"], str(resource.get("id", ""))
        target = record_number(resource) if kind == "Patient" else number
        if number:
            self._targets[f"{kind}/{number}"] = target
            self._targets[f"urn:uuid:{number}"] = target
        if full_url:
            self._targets[full_url] = target
        if kind in ("Practitioner", "Organization", "Location"):
            for identifier in resource.get("identifier", ()):
                key = f"{kind}?identifier={identifier.get('system', '')}|{identifier.get('value', '')}"
                self._targets[key] = target

    def local(self, time: str | None) -> str | None:
        """Return an instant as wall-clock time of the delivery's first offset.

        One fixed offset for the whole delivery keeps every interval exact, also over the hour a clock is put back, which
        dropping the offsets would not (docs/decisions/0004).

        Parameters
        ----------
        time : str or None
            FHIR date, dateTime or instant.

        Returns
        -------
        str or None
            ``YYYY-MM-DDTHH:MM:SS``, or the text as it came when it is a date, has no offset or is malformed.
        """
        if not time or len(time) <= 10:
            return time
        try:
            instant = datetime.fromisoformat(time)
        except ValueError:
            return time
        if instant.tzinfo is None:
            return time[:19]
        if self._offset is None:
            self._offset = timezone(instant.utcoffset() or timedelta())
        return instant.astimezone(self._offset).strftime("%Y-%m-%dT%H:%M:%S")

    def resolve(self, reference: dict[str, Any] | None) -> str | None:
        """Return the number a reference points to.

        Parameters
        ----------
        reference : dict or None
            FHIR Reference.

        Returns
        -------
        str or None
            The number; for a target that was not delivered, the last part of the reference, so that nothing is lost.
        """
        text = (reference or {}).get("reference")
        if not text:
            return None
        if text in self._targets:
            return self._targets[text]
        return text.split("|")[-1].split("/")[-1].removeprefix("urn:uuid:")


def record_number(patient: dict[str, Any]) -> str:
    """Return the medical record number of a Patient: the identifier typed MR, else the resource id.

    Parameters
    ----------
    patient : dict
        FHIR Patient.

    Returns
    -------
    str
        Record number, or an empty string.
    """
    return _identifier(patient, "MR") or str(patient.get("id", ""))


def _identifier(resource: dict[str, Any], *types: str) -> str | None:
    for identifier in resource.get("identifier", ()):
        codes = {c.get("code") for c in identifier.get("type", {}).get("coding", ())}
        if codes & set(types) and identifier.get("value"):
            return str(identifier["value"])
    return None


def _extension(resource: dict[str, Any], column: str) -> str | None:
    for extension in resource.get("extension", ()):
        if extension.get("url") == EXTENSION + column:
            value = next((v for k, v in extension.items() if k.startswith("value")), None)
            return None if value is None else str(value)
    return None


def _coding(concept: dict[str, Any] | None) -> tuple[str | None, str | None, str | None]:
    concept = concept or {}
    coding = next(iter(concept.get("coding", ())), {})
    system = coding.get("system", "")
    short = _SYSTEMS.get(system, system.rstrip("/").split("/")[-1].split(":")[-1].upper() or None)
    return coding.get("code"), short, concept.get("text") or coding.get("display")


def _name(names: list[dict[str, Any]]) -> list[str]:
    spelt = []
    for name in sorted(names, key=lambda n: n.get("use") not in ("official", "usual")):
        text = name.get("text") or " ".join([*name.get("prefix", ()), *name.get("given", ()), name.get("family", "")])
        spelt.append(" ".join(text.split()))
    return spelt


def _telecom(resource: dict[str, Any], system: str) -> str | None:
    return next((t.get("value") for t in resource.get("telecom", ()) if t.get("system") == system), None)


def _address(address: dict[str, Any]) -> str | None:
    parts = [*address.get("line", ()), address.get("city"), address.get("state"), address.get("postalCode")]
    return address.get("text") or ", ".join(p for p in parts if p) or None


def _patient(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
    names = _name(r.get("name", []))
    mother = next(
        (e.get("valueString") for e in r.get("extension", ()) if e.get("url", "").endswith("MaidenName")), None
    )
    contact = next(iter(r.get("contact", ())), {})
    address = next(iter(r.get("address", ())), {})
    relation = _coding(next(iter(contact.get("relationship", ())), None))[2]
    languages = [_coding(c.get("language"))[0] or "" for c in r.get("communication", ())]
    other = [_identifier(r, t) for t in ("PPN", "DL")]
    yield (
        "patient",
        {
            "mrn": record_number(r),
            "name": names[0] if names else None,
            "name_latin": _extension(r, "name_latin") or " | ".join(n for n in [*names[1:], mother] if n) or None,
            "sex": r.get("gender"),
            "birth_date": r.get("birthDate"),
            "resident_id": _identifier(r, "NI", "SS", "PRN"),
            "other_id": "|".join(o for o in other if o) or None,
            "insurance_no": _identifier(r, "MB", "MC", "HC"),
            "phone": _telecom(r, "phone"),
            "email": _telecom(r, "email"),
            "address": _address(address),
            "city": address.get("city"),
            "province": address.get("state"),
            "postcode": address.get("postalCode"),
            "contact_name": next(iter(_name([contact["name"]])), None) if contact.get("name") else None,
            "contact_relation": relation,
            "contact_phone": _telecom(contact, "phone"),
            "employer": _extension(r, "employer"),
            "occupation": _extension(r, "occupation"),
            "ethnicity": _extension(r, "ethnicity"),
            "marital_status": _MARITAL.get(_coding(r.get("maritalStatus"))[0] or ""),
            "language": "zh" if any(code.startswith("zh") for code in languages) else "en",
            "death_time": refs.local(r.get("deceasedDateTime")),
        },
    )


def _encounter(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
    hospitalization = r.get("hospitalization", {})
    people = [p.get("individual", {}) for p in r.get("participant", ())]
    for person in people:
        yield from _mentioned("staff", "staff_id", person, refs)
    places = [place.get("location", {}) for place in r.get("location", ())]
    for place in [r.get("serviceProvider", {}), *places]:
        yield from _mentioned("organization", "organization_id", place, refs)
    code = r.get("class", {}).get("code", "")
    disposition = _coding(hospitalization.get("dischargeDisposition"))[0]
    yield (
        "encounter",
        {
            "encounter_id": r.get("id"),
            "mrn": refs.resolve(r.get("subject")),
            "admission_no": _identifier(r, "VN", "AN") or _extension(r, "admission_no"),
            "visit_type": _VISIT.get(code, code or None),
            "admission_route": _extension(r, "admission_route"),
            "department": _extension(r, "department") or _coding(r.get("serviceType"))[2],
            "ward": _extension(r, "ward"),
            "bed": _extension(r, "bed"),
            "attending_doctor": next((refs.resolve(p) for p in people if p), None),
            "admit_time": refs.local(r.get("period", {}).get("start")),
            "discharge_time": refs.local(r.get("period", {}).get("end")),
            "disposition": _extension(r, "disposition")
            or _DISPOSITION.get(disposition or "", "other" if disposition else None),
            "condition": _extension(r, "condition"),
            "age_years": _extension(r, "age_years"),
            "outcome": _extension(r, "outcome"),
            "payer": _extension(r, "payer"),
            "total_cost": _extension(r, "total_cost"),
        },
    )


def _mentioned(table: str, key: str, reference: dict[str, Any], refs: References) -> Iterator[Tagged]:
    # A name that is only displayed in a reference still has to be known to de-identification.
    if reference.get("display"):
        yield (
            table,
            {key: refs.resolve(reference) or reference["display"], "name": reference["display"], "_derived": "1"},
        )


def _condition(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
    code, system, name = _coding(r.get("code"))
    yield (
        "diagnosis",
        {
            "diagnosis_id": r.get("id"),
            "encounter_id": refs.resolve(r.get("encounter")),
            "mrn": refs.resolve(r.get("subject")),
            "seq": _extension(r, "seq"),
            "kind": _extension(r, "kind") or "problem",
            "code": code,
            "code_system": _extension(r, "code_system") or system,
            "name": name,
            "present_on_admission": _extension(r, "present_on_admission"),
            "start_time": refs.local(
                r.get("onsetDateTime") or r.get("onsetPeriod", {}).get("start") or r.get("recordedDate")
            ),
            "end_time": refs.local(r.get("abatementDateTime") or r.get("onsetPeriod", {}).get("end")),
        },
    )


def _medication_request(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
    code, system, name = _coding(r.get("medicationCodeableConcept"))
    contained = r.get("medicationReference", {})
    dosage = next(iter(r.get("dosageInstruction", ())), {})
    quantity = next(iter(dosage.get("doseAndRate", ())), {}).get("doseQuantity", {})
    requester = r.get("requester", {})
    yield from _mentioned("staff", "staff_id", requester, refs)
    period = r.get("effectivePeriod", {})
    bounds = dosage.get("timing", {}).get("repeat", {}).get("boundsPeriod", {})
    yield (
        "drug_order",
        {
            "order_id": r.get("id"),
            "encounter_id": refs.resolve(r.get("encounter") or r.get("context")),
            "mrn": refs.resolve(r.get("subject")),
            "code": code or refs.resolve(contained),
            "code_system": _extension(r, "code_system") or system,
            "name": name or contained.get("display") or ("medication by reference" if contained else None),
            "dose": _number(quantity.get("value")) or _extension(r, "dose"),
            "dose_unit": quantity.get("unit") or _extension(r, "dose_unit"),
            "route": _coding(dosage.get("route"))[2] or _extension(r, "route"),
            "frequency": _coding(dosage.get("timing", {}).get("code"))[2] or _extension(r, "frequency"),
            "prescriber": refs.resolve(requester),
            "start_time": refs.local(r.get("authoredOn") or r.get("effectiveDateTime") or period.get("start")),
            "stop_time": _extension(r, "stop_time") or refs.local(bounds.get("end") or period.get("end")),
        },
    )


def _procedure(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
    code, system, name = _coding(r.get("code"))
    period = r.get("performedPeriod", {})
    performer = next(iter(r.get("performer", ())), {}).get("actor", {})
    yield from _mentioned("staff", "staff_id", performer, refs)
    yield from _mentioned("organization", "organization_id", r.get("location", {}), refs)
    yield (
        "procedure",
        {
            "procedure_id": r.get("id"),
            "encounter_id": refs.resolve(r.get("encounter")),
            "mrn": refs.resolve(r.get("subject")),
            "code": code,
            "code_system": _extension(r, "code_system") or system,
            "name": name,
            "surgeon": refs.resolve(performer),
            "start_time": refs.local(r.get("performedDateTime") or period.get("start")),
            "end_time": refs.local(period.get("end")),
        },
    )


def _observation(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
    if _coding(r.get("code"))[0] == "vital-status":
        yield _follow_up(r, refs)
        return
    category = _coding(next(iter(r.get("category", ())), None))[0] or ""
    parts = [r] if any(k.startswith("value") for k in r) or not r.get("component") else r["component"]
    for index, part in enumerate(parts):
        code, system, name = _coding(part.get("code"))
        quantity = part.get("valueQuantity", {})
        text = part.get("valueString") or _coding(part.get("valueCodeableConcept"))[2]
        reference = next(iter(part.get("referenceRange", ())), {})
        flag = _coding(next(iter(part.get("interpretation", ())), None))[0]
        yield (
            "measurement",
            {
                "measurement_id": r.get("id") if len(parts) == 1 else f"{r.get('id')}#{index + 1}",
                "encounter_id": refs.resolve(r.get("encounter")),
                "mrn": refs.resolve(r.get("subject")),
                "category": {"laboratory": "laboratory", "vital-signs": "vital", "survey": "survey"}.get(
                    category, "other"
                ),
                "specimen_no": _extension(r, "specimen_no"),
                "item_code": code,
                "code_system": _extension(r, "code_system") or system,
                "item_name": name,
                "value_number": _number(quantity.get("value")),
                "value_text": text,
                "unit": quantity.get("unit"),
                "ref_low": _number(reference.get("low", {}).get("value")),
                "ref_high": _number(reference.get("high", {}).get("value")),
                "flag": {"H": "high", "HH": "high", "L": "low", "LL": "low", "N": "normal", "A": "abnormal"}.get(
                    flag or ""
                ),
                "time": refs.local(
                    r.get("effectiveDateTime") or r.get("effectivePeriod", {}).get("start") or r.get("issued")
                ),
            },
        )


def _follow_up(r: dict[str, Any], refs: References) -> Tagged:
    return "follow_up", {
        "follow_up_id": r.get("id"),
        "encounter_id": refs.resolve(r.get("encounter")),
        "mrn": refs.resolve(r.get("subject")),
        "time": refs.local(r.get("effectiveDateTime")),
        "method": _extension(r, "method"),
        "status": r.get("valueString") or _coding(r.get("valueCodeableConcept"))[0] or _extension(r, "status"),
        "status_time": refs.local(_extension(r, "status_time")),
    }


def _number(value: Any) -> str | None:
    return None if value is None else repr(value) if isinstance(value, float) else str(value)


def _other(
    kind: str, time: Callable[[dict[str, Any]], Any]
) -> Callable[[dict[str, Any], References], Iterator[Tagged]]:
    def rows(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
        concept = r.get("code") or r.get("vaccineCode") or r.get("type") or next(iter(r.get("category", ())), None)
        code, system, name = _coding(concept if isinstance(concept, dict) else None)
        carrier = next(iter(r.get("udiCarrier", ())), {})
        serial = [carrier.get("carrierHRF"), r.get("serialNumber"), r.get("lotNumber")]
        serial += [i.get("value") for i in r.get("identifier", ())] if kind == "imaging" else []
        started = time(r)
        yield (
            "observation",
            {
                "observation_id": r.get("id"),
                "encounter_id": refs.resolve(r.get("encounter")),
                "mrn": refs.resolve(r.get("subject") or r.get("patient")),
                "kind": kind,
                "code": code,
                "code_system": system,
                "name": name or kind,
                "value_text": r.get("criticality"),
                "device_serial": "|".join(s for s in serial if s) or None,
                "time": refs.local(started),
                "end_time": refs.local(r.get("expirationDate") if kind == "device" else r.get("period", {}).get("end")),
            },
        )

    return rows


def _document(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
    attachment = next(
        (c.get("attachment", {}) for c in r.get("content", ()) if _is_text(c.get("attachment", {}))), None
    )
    if attachment is None:
        raise UnusableResource("no_text_attachment", "content")
    if "data" not in attachment:
        raise UnusableResource("attachment_not_included", "content")
    charset = next(
        (p.split("=")[1].strip() for p in attachment.get("contentType", "").split(";")[1:] if "charset" in p), "utf-8"
    )
    try:
        text = base64.b64decode(attachment["data"], validate=True).decode(charset)
    except (binascii.Error, UnicodeDecodeError, LookupError) as error:
        raise UnusableResource("attachment_not_decodable", "content") from error
    author = next(iter(r.get("author", ())), {})
    yield from _mentioned("staff", "staff_id", author, refs)
    yield from _mentioned("organization", "organization_id", r.get("custodian", {}), refs)
    codes = [c.get("code") for c in r.get("type", {}).get("coding", ())]
    context = r.get("context", {})
    yield (
        "note",
        {
            "note_id": r.get("id"),
            "encounter_id": refs.resolve(next(iter(context.get("encounter", ())), None)),
            "mrn": refs.resolve(r.get("subject")),
            "record_class": _extension(r, "record_class")
            or next((_NOTE_CLASS[c] for c in codes if c in _NOTE_CLASS), "other"),
            "title": _extension(r, "title") or _coding(r.get("type"))[2],
            "author": refs.resolve(author),
            "written_time": refs.local(r.get("date") or context.get("period", {}).get("start")),
            "language": attachment.get("language", "")[:2] or None,
            "text": text,
        },
    )


def _is_text(attachment: dict[str, Any]) -> bool:
    return attachment.get("contentType", "").startswith("text/plain")


def _practitioner(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
    names = _name(r.get("name", []))
    yield (
        "staff",
        {
            "staff_id": r.get("id"),
            "name": names[0] if names else None,
            "name_latin": _extension(r, "name_latin"),
            "title": _extension(r, "title"),
            "department": _extension(r, "department"),
            "phone": _telecom(r, "phone"),
        },
    )


def _organization(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
    address = r.get("address", {})
    address = next(iter(address), {}) if isinstance(address, list) else address
    yield (
        "organization",
        {
            "organization_id": r.get("id"),
            "name": r.get("name"),
            "address": _address(address),
            "phone": _telecom(r, "phone"),
        },
    )


def _administrative(r: dict[str, Any], refs: References) -> Iterator[Tagged]:
    patient = r.get("patient") or r.get("subject") or r.get("beneficiary")
    patient = patient if isinstance(patient, dict) else None
    yield (
        "administrative",
        {
            "entry_id": r.get("id"),
            "mrn": refs.resolve(patient),
            "kind": r["resourceType"],
            "content": json.dumps(r, ensure_ascii=False),
        },
    )


ROW_MAKERS: dict[str, Callable[[dict[str, Any], References], Iterator[Tagged]]] = {
    "Patient": _patient,
    "Encounter": _encounter,
    "Condition": _condition,
    "MedicationRequest": _medication_request,
    "MedicationStatement": _medication_request,
    "Procedure": _procedure,
    "Observation": _observation,
    "DocumentReference": _document,
    "Practitioner": _practitioner,
    "Organization": _organization,
    "Location": _organization,
    "AllergyIntolerance": _other(
        "allergy", lambda r: r.get("recordedDate") or r.get("assertedDate") or r.get("onsetDateTime")
    ),
    "Immunization": _other("immunization", lambda r: r.get("occurrenceDateTime")),
    "CarePlan": _other("careplan", lambda r: r.get("period", {}).get("start")),
    "Device": _other("device", lambda r: r.get("manufactureDate")),
    "ImagingStudy": _other("imaging", lambda r: r.get("started")),
}
ADMINISTRATIVE = frozenset(
    [
        "Account",
        "Binary",
        "CareTeam",
        "Claim",
        "ClaimResponse",
        "Communication",
        "Composition",
        "Coverage",
        "DiagnosticReport",
        "Endpoint",
        "EpisodeOfCare",
        "ExplanationOfBenefit",
        "FamilyMemberHistory",
        "Flag",
        "Goal",
        "Group",
        "HealthcareService",
        "InsurancePlan",
        "List",
        "Media",
        "Medication",
        "MedicationAdministration",
        "MedicationDispense",
        "PractitionerRole",
        "Provenance",
        "QuestionnaireResponse",
        "RelatedPerson",
        "ServiceRequest",
        "Specimen",
        "SupplyDelivery",
        "Appointment",
        "Schedule",
        "Slot",
        "Task",
        "Consent",
        "RiskAssessment",
        "ClinicalImpression",
        "NutritionOrder",
    ]
)


def rows_of(resource: dict[str, Any], refs: References) -> list[Tagged]:
    """Turn one resource into rows.

    Parameters
    ----------
    resource : dict
        A FHIR R4 resource.
    refs : References
        Knows the resources of the delivery.

    Returns
    -------
    list of (str, dict)
        Filing table and row; rows with ``_derived`` come from a display name in a reference and count as no entry of their own.

    Raises
    ------
    UnusableResource
        If the type is unknown, or the resource lacks what its filing table needs.
    """
    kind = resource.get("resourceType", "")
    maker = ROW_MAKERS.get(kind)
    if maker is None:
        if kind not in ADMINISTRATIVE:
            raise UnusableResource("unknown_resource_type", "resourceType")
        maker = _administrative
    try:
        return list(maker(resource, refs))
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise UnusableResource("malformed_resource", "") from error

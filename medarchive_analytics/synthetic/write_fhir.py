"""The international campus as a FHIR R4 bulk export: one NDJSON file per resource type."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import polars as pl

from .config import SyntheticHospital

EXTENSION = "https://medarchive.invalid/fhir/"
_OFFSET = "+08:00"
_SYSTEMS = {
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "ICD9CM3": "http://hl7.org/fhir/sid/icd-9-cm",
    "LOINC": "http://loinc.org",
}
_CLASS = {"inpatient": "IMP", "outpatient": "AMB", "emergency": "EMER"}
_MARITAL = {"married": "M", "single": "S", "divorced": "D", "widowed": "W", "unknown": "UNK"}
_FLAG = {"high": "H", "low": "L", "normal": "N", "abnormal": "A"}
_CATEGORY = {"laboratory": "laboratory", "vital": "vital-signs", "survey": "survey", "other": "exam"}


def write_fhir_ndjson(
    hospital: SyntheticHospital, folder: Path | str, mrns: Iterable[str] | None = None
) -> dict[str, Path]:
    """Write persons and their care as FHIR R4 bulk NDJSON.

    Parameters
    ----------
    hospital : SyntheticHospital
        A generated hospital.
    folder : pathlib.Path or str
        Where to write; made if missing.
    mrns : iterable of str, optional
        Persons to write; default: everybody of the international campus.

    Returns
    -------
    dict of str to pathlib.Path
        File by resource type.

    Notes
    -----
    What FHIR has no element for travels in extensions named ``https://medarchive.invalid/fhir/<filing column>``. Local
    hospital time is written with the offset +08:00 throughout.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    keep = pl.Series("mrn", list(hospital.fhir_mrns if mrns is None else mrns), pl.String)
    paths: dict[str, Path] = {}
    handles = {}
    try:
        for table, make in _MAKERS.items():
            frame = hospital.tables[table]
            if "mrn" in frame.columns:
                frame = frame.filter(pl.col("mrn").is_in(keep.implode()))
            for row in frame.iter_rows(named=True):
                resource = _clean(make(row))
                kind = resource["resourceType"]
                if kind not in handles:
                    paths[kind] = folder / f"{kind}.ndjson"
                    handles[kind] = paths[kind].open("w", encoding="utf-8")
                handles[kind].write(json.dumps(resource, ensure_ascii=False) + "\n")
    finally:
        for handle in handles.values():
            handle.close()
    return paths


def _clean(value):
    """Drop empty elements: FHIR forbids nulls and empty objects."""
    if isinstance(value, dict):
        return {k: c for k, v in value.items() if (c := _clean(v)) not in (None, {}, [])}
    if isinstance(value, list):
        return [c for v in value if (c := _clean(v)) not in (None, {}, [])]
    return value


def _instant(when: datetime | None) -> str | None:
    return None if when is None else f"{when:%Y-%m-%dT%H:%M:%S}{_OFFSET}"


def _extensions(row: dict, *columns: str) -> list[dict]:
    out = []
    for column in columns:
        value = row[column]
        if value is None:
            continue
        if isinstance(value, datetime):
            out.append({"url": EXTENSION + column, "valueDateTime": _instant(value)})
        elif isinstance(value, int):
            out.append({"url": EXTENSION + column, "valueInteger": value})
        elif isinstance(value, float):
            out.append({"url": EXTENSION + column, "valueDecimal": value})
        else:
            out.append({"url": EXTENSION + column, "valueString": value})
    return out


def _concept(code: str | None, system: str | None, text: str | None) -> dict:
    url = _SYSTEMS.get(system or "", f"https://medarchive.invalid/code/{system}" if system else None)
    return {"coding": [{"system": url, "code": code, "display": text}] if code else [], "text": text}


def _refs(row: dict, subject: str = "subject") -> dict:
    encounter = row.get("encounter_id")
    return {
        subject: {"reference": f"Patient/{row['mrn']}"},
        "encounter": {"reference": f"Encounter/{encounter}"} if encounter else None,
    }


def _practitioner(staff_id: str | None) -> dict | None:
    return {"reference": f"Practitioner/{staff_id}"} if staff_id else None


def _typed(code: str, value: str | None) -> dict | None:
    system = "http://terminology.hl7.org/CodeSystem/v2-0203"
    return {"type": {"coding": [{"system": system, "code": code}]}, "value": value} if value else None


def _patient(row: dict) -> dict:
    national = "SS" if (row["resident_id"] or "").startswith("666-") else "NI"
    return {
        "resourceType": "Patient",
        "id": row["mrn"],
        "extension": _extensions(row, "name_latin", "employer", "occupation", "ethnicity"),
        "identifier": [
            _typed("MR", row["mrn"]),
            _typed(national, row["resident_id"]),
            _typed("PPN", row["other_id"]),
            _typed("MB", row["insurance_no"]),
        ],
        "name": [{"use": "official", "text": row["name"]}],
        "telecom": [{"system": s, "value": row[s]} for s in ("phone", "email") if row[s]],
        "gender": row["sex"],
        "birthDate": row["birth_date"].isoformat(),
        "deceasedDateTime": _instant(row["death_time"]),
        "address": [
            {
                "text": row["address"],
                "line": [row["address"]],
                "city": row["city"],
                "state": row["province"],
                "postalCode": row["postcode"],
            }
        ],
        "maritalStatus": {"coding": [{"code": _MARITAL.get(row["marital_status"] or "")}]},
        "contact": [
            {
                "relationship": [{"text": row["contact_relation"]}],
                "name": {"text": row["contact_name"]} if row["contact_name"] else None,
                "telecom": [{"system": "phone", "value": row["contact_phone"]}] if row["contact_phone"] else [],
            }
        ],
        "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": row["language"]}]}}],
    }


def _encounter(row: dict) -> dict:
    columns = (
        "admission_route",
        "department",
        "ward",
        "bed",
        "disposition",
        "condition",
        "age_years",
        "outcome",
        "payer",
        "total_cost",
    )
    discharge = {"home": "home", "death": "exp", "transfer": "other-hcf", "against_advice": "aadvice"}.get(
        row["disposition"] or "", "oth"
    )
    return {
        "resourceType": "Encounter",
        "id": row["encounter_id"],
        "status": "finished",
        "extension": _extensions(row, *columns),
        "identifier": [_typed("VN", row["admission_no"])],
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": _CLASS[row["visit_type"]]},
        "serviceType": {"text": row["department"]},
        "subject": {"reference": f"Patient/{row['mrn']}"},
        "participant": [{"individual": _practitioner(row["attending_doctor"])}],
        "period": {"start": _instant(row["admit_time"]), "end": _instant(row["discharge_time"])},
        "hospitalization": {"dischargeDisposition": {"coding": [{"code": discharge}]}} if row["disposition"] else None,
    }


def _condition(row: dict) -> dict:
    return {
        "resourceType": "Condition",
        "id": row["diagnosis_id"],
        "extension": _extensions(row, "seq", "kind", "present_on_admission"),
        "code": _concept(row["code"], row["code_system"], row["name"]),
        **_refs(row),
        "onsetDateTime": _instant(row["start_time"]),
        "abatementDateTime": _instant(row["end_time"]),
    }


def _medication_request(row: dict) -> dict:
    return {
        "resourceType": "MedicationRequest",
        "id": row["order_id"],
        "status": "completed",
        "intent": "order",
        "medicationCodeableConcept": _concept(row["code"], row["code_system"], row["name"]),
        **_refs(row),
        "authoredOn": _instant(row["start_time"]),
        "requester": _practitioner(row["prescriber"]),
        "dosageInstruction": [
            {
                "timing": {
                    "repeat": {
                        "boundsPeriod": {"start": _instant(row["start_time"]), "end": _instant(row["stop_time"])}
                    },
                    "code": {"text": row["frequency"]},
                },
                "route": {"text": row["route"]},
                "doseAndRate": [{"doseQuantity": {"value": row["dose"], "unit": row["dose_unit"]}}],
            }
        ],
    }


def _procedure(row: dict) -> dict:
    return {
        "resourceType": "Procedure",
        "id": row["procedure_id"],
        "status": "completed",
        "code": _concept(row["code"], row["code_system"], row["name"]),
        **_refs(row),
        "performedPeriod": {"start": _instant(row["start_time"]), "end": _instant(row["end_time"])},
        "performer": [{"actor": _practitioner(row["surgeon"])}],
    }


def _measurement(row: dict) -> dict:
    limit = lambda v: None if v is None else {"value": v, "unit": row["unit"]}  # noqa: E731
    return {
        "resourceType": "Observation",
        "id": row["measurement_id"],
        "status": "final",
        "extension": _extensions(row, "specimen_no"),
        "category": [{"coding": [{"code": _CATEGORY[row["category"]]}]}],
        "code": _concept(row["item_code"], row["code_system"], row["item_name"]),
        **_refs(row),
        "effectiveDateTime": _instant(row["time"]),
        "valueQuantity": {"value": row["value_number"], "unit": row["unit"]},
        "interpretation": [{"coding": [{"code": _FLAG.get(row["flag"] or "")}]}],
        "referenceRange": [{"low": limit(row["ref_low"]), "high": limit(row["ref_high"])}],
    }


def _other(row: dict) -> dict:
    concept, person = _concept(row["code"], row["code_system"], row["name"]), _refs(row, "patient")
    match row["kind"]:
        case "allergy":
            return {
                "resourceType": "AllergyIntolerance",
                "id": row["observation_id"],
                "code": concept,
                **person,
                "criticality": row["value_text"],
                "recordedDate": _instant(row["time"]),
            }
        case "immunization":
            return {
                "resourceType": "Immunization",
                "id": row["observation_id"],
                "status": "completed",
                "vaccineCode": concept,
                **person,
                "occurrenceDateTime": _instant(row["time"]),
            }
        case "device":
            # R4's Device has no encounter: the visit is not carried over.
            return {
                "resourceType": "Device",
                "id": row["observation_id"],
                "type": concept,
                "patient": person["patient"],
                "serialNumber": row["device_serial"],
                "manufactureDate": _instant(row["time"]),
            }
        case _:
            raise ValueError("the synthetic hospital makes no other kind of observation")


def _document(row: dict) -> dict:
    return {
        "resourceType": "DocumentReference",
        "id": row["note_id"],
        "status": "current",
        "extension": _extensions(row, "record_class", "title"),
        "type": {"text": row["title"]},
        "subject": {"reference": f"Patient/{row['mrn']}"},
        "date": _instant(row["written_time"]),
        "author": [_practitioner(row["author"])],
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "language": row["language"],
                    "data": base64.b64encode(row["text"].encode()).decode(),
                }
            }
        ],
        "context": {"encounter": [{"reference": f"Encounter/{row['encounter_id']}"}]},
    }


def _follow_up(row: dict) -> dict:
    return {
        "resourceType": "Observation",
        "id": row["follow_up_id"],
        "status": "final",
        "extension": _extensions(row, "method", "status_time"),
        "code": _concept("vital-status", "LOCALOBS", "vital status"),
        **_refs(row),
        "effectiveDateTime": _instant(row["time"]),
        "valueString": row["status"],
    }


def _staff(row: dict) -> dict:
    return {
        "resourceType": "Practitioner",
        "id": row["staff_id"],
        "extension": _extensions(row, "name_latin", "title", "department"),
        "name": [{"use": "official", "text": row["name"]}],
        "telecom": [{"system": "phone", "value": row["phone"]}] if row["phone"] else [],
    }


def _organization(row: dict) -> dict:
    return {
        "resourceType": "Organization",
        "id": row["organization_id"],
        "name": row["name"],
        "telecom": [{"system": "phone", "value": row["phone"]}] if row["phone"] else [],
        "address": [{"text": row["address"]}],
    }


_MAKERS: dict[str, Callable[[dict], dict]] = {
    "staff": _staff,
    "organization": _organization,
    "patient": _patient,
    "encounter": _encounter,
    "diagnosis": _condition,
    "drug_order": _medication_request,
    "procedure": _procedure,
    "measurement": _measurement,
    "observation": _other,
    "note": _document,
    "follow_up": _follow_up,
}

"""R13: the notes of the FHIR bulk sample: no known name token is left in any of them."""

import base64
import json
import re
from pathlib import Path

import pytest

from medarchive_analytics.deid import KnownPerson, SurrogateKey, deidentify_batch, load_policy

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "fhir" / "bulk_10_patients"


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared FHIR sample is not here")
def test_no_name_token_is_left_in_1215_notes_r13():
    """R13: given and family names, maiden names and mother's names, in any letter case; and nothing clinical is lost."""
    patients = {}
    for line in (FOLDER / "Patient.000.ndjson").read_text(encoding="utf-8").splitlines():
        body = json.loads(line)
        address = body["address"][0]
        names = [" ".join([*n["given"], n["family"]]) for n in body["name"]]
        mothers = [e["valueString"] for e in body["extension"] if e["url"].endswith("mothersMaidenName")]
        patients[body["id"]] = KnownPerson.from_rows(
            {"mrn": body["id"], "name": names, "birth_date": body["birthDate"], "phone": [t["value"] for t in body["telecom"]],
             "other_id": [i["value"] for i in body["identifier"]], "address": address["line"], "city": address["city"],
             "postcode": address.get("postalCode"), "contact_name": mothers}
        )  # fmt: skip
    texts, owners = [], []
    for line in (FOLDER / "DocumentReference.000.ndjson").read_text(encoding="utf-8").splitlines():
        body = json.loads(line)
        texts.append(base64.b64decode(body["content"][0]["attachment"]["data"]).decode("utf-8"))
        owners.append(patients[body["subject"]["reference"].removeprefix("Patient/")])
    assert len(texts) == 1215
    tokens = {p: re.findall(r"[a-z]+[0-9]+", " ".join([*p.names, *p.contact_names]).lower()) for p in set(owners)}
    planted = sum(any(t in text.lower() for t in tokens[p]) for text, p in zip(texts, owners))
    assert planted > 1000, "the harness must have something to find"
    results = deidentify_batch(texts, owners, load_policy(), SurrogateKey(b"fhir-sample-secret-0123456789"))
    left = [i for i, (r, p) in enumerate(zip(results, owners)) if any(t in r.text.lower() for t in tokens[p])]
    assert not left
    assert sum(r.is_quarantined for r in results) <= len(results) * 0.05
    kinds = {s.type for r in results for s in r.spans}
    assert kinds == {"PERSON", "DATE", "AGE"}, "anything else in these notes would be clinical text lost"

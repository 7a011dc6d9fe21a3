"""R27: the synthetic hospital keeps its promises: same seed, same hospital; exact truth; nothing real."""

from __future__ import annotations

import json
from functools import cache

import polars as pl
import pytest

from medarchive_analytics.core.errors import UserError
from medarchive_analytics.core.filing import filing_standard
from medarchive_analytics.synthetic import (
    HospitalConfig,
    eligible_mrns,
    generate_hospital,
    true_effect,
    write_dicom,
    write_emr_csv,
    write_fhir_ndjson,
    write_hl7v2,
    write_pages,
    write_truth,
)
from medarchive_analytics.synthetic.notes import check_spans_disjoint
from medarchive_analytics.synthetic.people import resident_check_digit

CONFIG = HospitalConfig(n_patients=400, seed=7)
REAL_PROVINCES = {
    *range(11, 16),
    *range(21, 24),
    *range(31, 38),
    *range(41, 47),
    *range(50, 55),
    *range(61, 66),
    71,
    81,
    82,
    83,
}


@cache
def hospital():
    return generate_hospital(CONFIG)


def cut(frame: pl.DataFrame) -> pl.DataFrame:
    """Cut each span or fact out of its note."""
    joined = frame.join(hospital().tables["note"].select("note_id", "text"), on="note_id", how="left")
    return joined.with_columns(cut=pl.col("text").str.slice(pl.col("start"), pl.col("end") - pl.col("start")))


def test_r27_same_seed_same_hospital_other_seed_other():
    again, other = generate_hospital(CONFIG), generate_hospital(HospitalConfig(n_patients=400, seed=8))
    for name, frame in hospital().tables.items():
        assert frame.equals(again.tables[name]), name
    for name, frame in hospital().truth.items():
        assert frame.equals(again.truth[name]), name
    assert hospital().defects.equals(again.defects)
    assert not hospital().tables["patient"].equals(other.tables["patient"])


def test_r5_tables_have_the_filing_schema_and_keep_its_rules():
    standard = filing_standard()
    for name, frame in hospital().tables.items():
        table = standard.table(name)
        assert dict(frame.schema) == table.schema, name
        assert frame[table.key].is_unique().all(), name
        for column in table.columns.values():
            if column.required:
                assert frame[column.name].null_count() == 0, (name, column.name)
            if column.values:
                assert set(frame[column.name].drop_nulls()) <= set(column.values), (name, column.name)


def test_r27_times_are_consistent():
    t = hospital().tables
    stays = t["encounter"].join(t["patient"].select("mrn", "birth_date", "death_time"), on="mrn")
    assert (stays["discharge_time"] > stays["admit_time"]).all()
    assert not (stays["death_time"] < stays["discharge_time"]).any()
    assert (
        stays.filter(pl.col("disposition") == "death")["discharge_time"]
        == stays.filter(pl.col("disposition") == "death")["death_time"]
    ).all()
    year = pl.col("admit_time").dt.year() - pl.col("birth_date").dt.year()
    before = (pl.col("admit_time").dt.month().cast(pl.Int64) * 100 + pl.col("admit_time").dt.day()) < (
        pl.col("birth_date").dt.month().cast(pl.Int64) * 100 + pl.col("birth_date").dt.day()
    )
    assert stays.select((year - before.cast(pl.Int64) == pl.col("age_years")).all()).item()
    for name, column in (
        ("diagnosis", "start_time"),
        ("drug_order", "start_time"),
        ("procedure", "start_time"),
        ("note", "written_time"),
        ("measurement", "time"),
    ):
        rows = t[name].join(t["encounter"].select("encounter_id", "admit_time", "discharge_time"), on="encounter_id")
        assert rows.height == t[name].height
        assert ((rows[column] >= rows["admit_time"]) & (rows[column] <= rows["discharge_time"])).all(), name


def test_r13_every_span_equals_its_value_and_none_overlap():
    spans = cut(hospital().truth["spans"])
    assert spans.height > 20_000
    assert (spans["cut"] == spans["value"]).all()
    assert check_spans_disjoint(hospital().truth["spans"].head(5000))
    overlapping = pl.DataFrame({"note_id": ["a", "a"], "start": [0, 3], "end": [5, 8]})
    assert not check_spans_disjoint(overlapping), "the check must catch a planted overlap"


def test_r13_no_identifier_of_the_patient_is_left_out_of_the_spans():
    """Searching the whole text for a person's own strings finds nothing that is not a span."""
    h = hospital()
    spans = h.truth["spans"].group_by("note_id").agg("start", "end")
    people = h.tables["patient"].select(
        "mrn", "name", "phone", "resident_id", "address", "contact_name", "contact_phone", "insurance_no"
    )
    missed = 0
    for row in h.tables["note"].join(people, on="mrn").join(spans, on="note_id").iter_rows(named=True):
        covered = list(zip(row["start"], row["end"], strict=True))
        for column in ("name", "phone", "resident_id", "address", "contact_name", "contact_phone", "insurance_no"):
            value, at = row[column], -1
            while value and (at := row["text"].find(value, at + 1)) >= 0:
                missed += not any(s <= at and at + len(value) <= e for s, e in covered)
    assert missed == 0


def test_r3_facts_are_cut_exactly_and_cover_all_assertions():
    facts = cut(hospital().truth["facts"])
    assert (facts["end"] > facts["start"]).all()
    assert facts["cut"].str.len_chars().min() >= 1
    assert set(facts["assertion"]) == {"affirmed", "negated", "uncertain", "historical", "family", "hypothetical"}
    smoking = facts.filter(pl.col("code") == "F17.2").join(
        hospital().tables["note"].select("note_id", "mrn", "record_class"), on="note_id"
    )
    said = smoking.filter(pl.col("record_class") == "admission_note").join(hospital().truth["smoking"], on="mrn")
    expected = said["smoking"].replace_strict({"current": "affirmed", "former": "historical", "never": "negated"})
    assert said.height > 300
    assert (said["assertion"] == expected).all()


def test_r27_current_smoking_is_in_no_structured_table():
    t = hospital().tables
    assert "F17.2" not in set(t["diagnosis"]["code"])
    assert "social" not in set(t["observation"]["kind"])


def test_r27_resident_numbers_are_valid_but_of_no_real_region():
    values = hospital().tables["patient"]["resident_id"].drop_nulls().to_list()
    resident = [v for v in values if len(v) == 18]
    assert len(resident) > 300
    for value in resident:
        assert resident_check_digit(value[:17]) == value[17]
        assert int(value[:2]) not in REAL_PROVINCES
        assert not (value[0] == "9" and int(value[1:3]) in REAL_PROVINCES), "shape of a foreign residence permit"
    assert all(v.startswith("666-") for v in values if len(v) != 18)
    assert resident_check_digit("11010519491231002") == "X"
    assert resident_check_digit("44052418800101001") == "4"


def test_r27_phones_are_unassigned():
    phones = [*hospital().tables["patient"]["phone"], *hospital().tables["staff"]["phone"]]
    assert all((p.startswith("154") and len(p) == 11) or "555-01" in p for p in phones)


def test_r27_notes_of_both_languages_and_all_styles():
    notes = hospital().tables["note"]
    assert set(notes["language"]) == {"zh", "en", "mixed"}
    assert {
        "admission_note",
        "first_progress_note",
        "progress_note",
        "operation_note",
        "imaging_report",
        "nursing_record",
        "discharge_summary",
        "outpatient_note",
    } <= set(notes["record_class"])
    assert set(hospital().truth["note_styles"]["style"]) == {0, 1, 2, 3, 4}
    assert set(generate_hospital(HospitalConfig(n_patients=20, style_families=(3,))).truth["note_styles"]["style"]) == {
        3
    }
    assert not notes["text"].str.contains(r"\{|\[\[|!affirmed").any(), "a slot was left unfilled"


def test_r27_identifiers_list_every_span_form():
    h = hospital()
    planted = set(h.truth["identifiers"]["value"])
    assert set(h.truth["spans"].filter(pl.col("kind") != "date")["value"]) <= planted
    assert set(h.tables["patient"]["name"]) | set(h.tables["staff"]["name"]) <= planted


def test_r27_emr_files_hold_the_clean_rows_and_exactly_the_ledgers_defects(tmp_path):
    h = hospital()
    paths = write_emr_csv(h, tmp_path)
    bad = 0
    for name, path in paths.items():
        table = filing_standard().table(name)
        raw = pl.read_csv(path, infer_schema_length=0)
        assert raw.columns == list(table.columns)
        clean = h.tables[name]
        if "mrn" in clean.columns:
            clean = clean.filter(pl.col("mrn").is_in(h.emr_mrns))
        ledger = h.defects.filter(pl.col("table") == name)
        assert raw.height == clean.height + ledger.height, name
        tail = raw.tail(ledger.height)
        assert tail[table.key].to_list() == ledger["key"].to_list()
        bad += ledger.height
    assert bad == h.defects.height > 0
    assert h.defects["kind"].n_unique() == 6
    measured = pl.read_csv(paths["measurement"], infer_schema_length=0)
    assert measured["time"].str.contains("-02-30").sum() == h.defects.filter(pl.col("kind") == "impossible_date").height
    assert write_emr_csv(generate_hospital(HospitalConfig(n_patients=30, defect_rate=0)), tmp_path / "clean")


def test_r1_fhir_lines_parse_and_refer_to_delivered_persons(tmp_path):
    h = hospital()
    paths = write_fhir_ndjson(h, tmp_path)
    assert {
        "Patient",
        "Encounter",
        "Condition",
        "MedicationRequest",
        "Procedure",
        "Observation",
        "DocumentReference",
        "Practitioner",
        "Organization",
    } <= set(paths)
    persons = {json.loads(line)["id"] for line in paths["Patient"].read_text(encoding="utf-8").splitlines()}
    assert persons == set(h.fhir_mrns)
    for kind, path in paths.items():
        for line in path.read_text(encoding="utf-8").splitlines():
            resource = json.loads(line)
            assert resource["resourceType"] == kind
            assert "null" not in line.split('"data"')[0]
            subject = resource.get("subject") or resource.get("patient")
            assert subject is None or subject["reference"].removeprefix("Patient/") in persons


def test_r1_fhir_reads_back_as_the_same_rows(tmp_path):
    fhir = pytest.importorskip("medarchive_analytics.archive.sources.fhir")
    from medarchive_analytics.synthetic.defects import raw_text

    h = hospital()
    write_fhir_ndjson(h, tmp_path)
    batch = fhir.read(tmp_path)
    assert not batch.rejects
    for name, frame in batch.frames.items():
        clean = h.tables[name]
        if "mrn" in clean.columns:
            clean = clean.filter(pl.col("mrn").is_in(h.fhir_mrns))
        key = clean.columns[0]
        columns = [
            c for c in clean.columns if (name, c) != ("observation", "encounter_id")
        ]  # R4 devices have no encounter
        assert frame.select(columns).sort(key).equals(raw_text(clean).select(columns).sort(key)), name


def test_r1_hl7_dicom_and_truth_files(tmp_path):
    import pydicom

    h = hospital()
    messages = write_hl7v2(h, tmp_path / "hl7", limit=3)
    text = messages[0].read_bytes().decode("utf-8")
    assert text.startswith("MSH|^~\\&|") and "ORU^R01" in text and "\n" not in text
    assert [s[:3] for s in text.split("\r")[:4]] == ["MSH", "PID", "PV1", "OBR"]
    images = [pydicom.dcmread(p) for p in write_dicom(h, tmp_path / "dicom", limit=2)]
    assert [i.Modality for i in images] == ["CT", "DX"]
    assert str(images[0].PatientID) in set(h.tables["patient"]["mrn"])
    assert images[0].pixel_array.shape == (64, 64)
    truth = write_truth(h, tmp_path / "truth")
    assert pl.read_parquet(truth["spans"]).equals(h.truth["spans"])


def test_r2_pages_need_a_chinese_font(tmp_path, monkeypatch):
    import medarchive_analytics.synthetic.write_other as other

    monkeypatch.setattr(other, "_FONTS", ("/no/such/font.ttc",))
    with pytest.raises(UserError, match="fonts-noto-cjk"):
        write_pages(hospital(), tmp_path)
    monkeypatch.undo()
    try:
        other.find_font()
    except UserError:
        pytest.skip("no font with Chinese characters on this machine")
    assert len(write_pages(hospital(), tmp_path, limit=2)) == 2


def test_r27_wrong_configuration_is_refused():
    with pytest.raises(UserError):
        HospitalConfig(n_patients=0)
    with pytest.raises(UserError):
        HospitalConfig(fhir_share=1.5)
    with pytest.raises(UserError):
        HospitalConfig(style_families=(9,))
    with pytest.raises(UserError, match="unknown planted trial"):
        true_effect(hospital(), "ticagrelor")
    assert len(eligible_mrns(hospital())) > 80
    assert "persons" in repr(hospital()) and hospital().tables["patient"]["name"][0] not in repr(hospital())

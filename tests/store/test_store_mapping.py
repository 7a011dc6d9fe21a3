"""R17: released filing tables become OMOP CDM 5.4, the same whatever the order of rows."""

from __future__ import annotations

import polars as pl
import pytest

from medarchive_analytics.core.errors import ReleaseRefusedError
from medarchive_analytics.store import OBSERVATION_PERIOD_RULE, build_cdm
from medarchive_analytics.store.content import table_hash
from medarchive_analytics.store.mapping import FIRST_UNMAPPED_ID
from medarchive_analytics.store.schema import omop_tables


def test_r17_every_table_is_there_and_conforms(cdm):
    assert list(cdm) == list(omop_tables())
    for name, frame in cdm.items():
        assert frame.schema == pl.Schema(omop_tables()[name].polars_schema)


def test_r17_row_order_of_the_extract_does_not_matter(ward, cdm):
    shuffled = {n: t.sample(fraction=1.0, shuffle=True, seed=7) for n, t in ward.tables.items()}
    again = build_cdm(shuffled, ward.facts.sample(fraction=1.0, shuffle=True, seed=8), load_id="load-1")
    assert {n: table_hash(f, n) for n, f in again.items()} == {n: table_hash(f, n) for n, f in cdm.items()}


def test_r17_ids_stay_when_other_rows_leave(ward, cdm):
    half = set(ward.tables["patient"]["person_id"].to_list()[:100])
    part = build_cdm(
        {n: t.filter(pl.col("person_id").is_in(half)) for n, t in ward.tables.items()}, ward.facts, load_id="load-1"
    )
    for name in ("observation", "condition_occurrence", "note_nlp", "observation_period", "care_site"):
        kept = cdm[name].filter(pl.col("person_id").is_in(half)) if "person_id" in cdm[name].columns else cdm[name]
        if name == "note_nlp":
            kept = cdm[name].join(part["note"].select("note_id"), on="note_id", how="semi")
        assert part[name].equals(kept), name


def test_r17_references_hold(cdm):
    concepts = set(cdm["concept"]["concept_id"].to_list()) | {0}
    for name, table in omop_tables().items():
        for column in table.columns.values():
            if not column.foreign_key or cdm[name].is_empty():
                continue
            other, key = column.foreign_key.split(".")
            known = concepts if other == "concept" else set(cdm[other][key].to_list())
            assert set(cdm[name][column.name].drop_nulls().to_list()) <= known, f"{name}.{column.name}"


def test_r17_counts_follow_the_extract(ward, cdm):
    released = ward.tables
    assert cdm["person"].height == released["patient"].height
    assert cdm["condition_occurrence"].height == released["diagnosis"].height
    assert cdm["drug_exposure"].height == released["drug_order"].height
    visits, allergies = released["encounter"].height, released["observation"].height
    # age and condition at each visit, vital status at each contact, smoking from text, allergies
    assert cdm["observation"].height == 4 * visits + allergies
    assert cdm["note_nlp"].height == ward.facts.height


def test_r17_unmapped_codes_are_first_class(cdm):
    atc = cdm["drug_exposure"].filter(pl.col("drug_source_value") == "B01AC06")
    assert atc["drug_concept_id"].unique().to_list() == [0]
    source = atc["drug_source_concept_id"].unique().to_list()
    assert len(source) == 1 and source[0] >= FIRST_UNMAPPED_ID
    named = cdm["concept"].filter(pl.col("concept_id") == source[0]).row(0, named=True)
    assert (named["vocabulary_id"], named["concept_code"]) == ("ATC", "B01AC06")
    known = cdm["drug_exposure"].filter(pl.col("drug_source_value") == "YP0001")["drug_concept_id"].unique().to_list()
    assert len(known) == 1 and 2_000_000_000 <= known[0] < FIRST_UNMAPPED_ID


def test_r17_ids_of_unmapped_codes_do_not_move_between_loads(ward, cdm):
    from medarchive_analytics.store.mapping import CONCEPT_SCHEMA

    earlier = pl.DataFrame(
        [
            {
                "concept_id": FIRST_UNMAPPED_ID + 5,
                "code": "B01AC06",
                "code_system": "ATC",
                "domain": "Drug",
                "name_en": "B01AC06",
            }
        ],
        schema=CONCEPT_SCHEMA,
    )
    again = build_cdm(ward.tables, ward.facts, load_id="load-2", earlier_concepts=earlier)
    atc = (
        again["drug_exposure"]
        .filter(pl.col("drug_source_value") == "B01AC06")["drug_source_concept_id"]
        .unique()
        .to_list()
    )
    assert atc == [FIRST_UNMAPPED_ID + 5]
    assert again["concept"].filter(pl.col("concept_id") > FIRST_UNMAPPED_ID + 5).height > 0


def test_r17_person_year_and_sex(ward, cdm):
    row = ward.tables["encounter"].row(0, named=True)
    person = cdm["person"].filter(pl.col("person_id") == row["person_id"]).row(0, named=True)
    assert person["year_of_birth"] == row["admit_time"].year - row["age_years"]
    assert person["month_of_birth"] is None and person["birth_datetime"] is None


def test_r17_observation_period_reaches_the_last_known_status(ward, cdm):
    last = ward.tables["follow_up"].select("person_id", pl.col("status_time").dt.date().alias("seen"))
    period = cdm["observation_period"].join(last, on="person_id")
    stay = ward.tables["encounter"].select("person_id", pl.col("discharge_time").dt.date().alias("out"))
    period = period.join(stay, on="person_id").join(cdm["death"], on="person_id", how="left")
    expected = pl.min_horizontal(pl.max_horizontal("seen", "out"), "death_date")
    assert period.filter(pl.col("observation_period_end_date") != expected).is_empty()
    setting = cdm["metadata"].filter(pl.col("name") == "observation_period_rule")["value_as_string"].item()
    assert setting == OBSERVATION_PERIOD_RULE


def test_r17_a_contact_that_found_nobody_is_no_contact(ward):
    one = ward.tables["patient"]["person_id"][0]
    tables = {n: t.filter(pl.col("person_id") == one) for n, t in ward.tables.items()}
    tables["patient"] = tables["patient"].with_columns(pl.lit(None, dtype=pl.Datetime("us")).alias("death_time"))
    tables["follow_up"] = tables["follow_up"].with_columns(
        pl.lit("lost").alias("status"), pl.lit(None, dtype=pl.Datetime("us")).alias("status_time")
    )
    cdm = build_cdm(tables, load_id="x")
    assert (
        cdm["observation_period"]["observation_period_end_date"][0]
        == tables["encounter"]["discharge_time"].dt.date()[0]
    )


def test_r17_death_prefers_registration_then_follow_up(ward, cdm):
    dead = ward.tables["follow_up"].filter(pl.col("status") == "dead")["person_id"]
    assert set(cdm["death"]["person_id"]) == set(dead)
    kinds = cdm["death"].join(cdm["concept"], left_on="death_type_concept_id", right_on="concept_id")["concept_code"]
    assert {"death_registration", "death_follow_up"} >= set(kinds) and len(set(kinds)) >= 1


def test_r3_facts_point_back_to_words_and_keep_their_label(ward, cdm):
    smoking = cdm["observation"].filter(pl.col("observation_source_value") == "smoking_current")
    affirmed = ward.facts.filter(pl.col("label") == "affirmed").height
    assert smoking["value_as_number"].sum() == affirmed and smoking.height == ward.facts.height
    nlp = cdm["note_nlp"]
    assert (nlp["term_exists"] == "Y").sum() == affirmed
    assert nlp["offset"].unique().to_list() == ["4"] and nlp["term_modifiers"].str.contains("end=8").all()


def test_r3_only_what_is_affirmed_of_this_patient_becomes_an_event(ward):
    base = ward.facts.head(4).with_columns(
        pl.Series("label", ["affirmed", "negated", "family", "affirmed"]),
        pl.Series("is_negated", [False, True, False, False]),
        pl.Series("is_family", [False, False, True, False]),
        pl.Series("is_historical", [False, False, False, True]),
        pl.lit("condition").alias("domain"), pl.lit("E11.9").alias("code"), pl.lit("ICD10").alias("code_system"),
    )  # fmt: skip
    cdm = build_cdm(ward.tables, base, load_id="x")
    texts = cdm["condition_occurrence"].join(
        cdm["concept"].filter(pl.col("concept_code") == "note_text"),
        left_on="condition_type_concept_id", right_on="concept_id", how="semi",
    )  # fmt: skip
    assert texts["person_id"].to_list() == [base["person_id"][0]]
    assert cdm["note_nlp"].height == 4


def test_r5_what_cannot_enter_is_counted_not_hidden(ward):
    tables = dict(ward.tables)
    first = tables["patient"]["person_id"][0]
    tables["encounter"] = tables["encounter"].with_columns(
        pl.when(pl.col("person_id") == first).then(None).otherwise(pl.col("age_years")).alias("age_years")
    )
    cdm = build_cdm(tables, ward.facts, load_id="x")
    counts = dict(cdm["metadata"].select("name", "value_as_number").rows())
    assert counts["persons_without_age_left_out"] == 1 and counts["rows_without_person_left_out"] > 0
    assert cdm["person"].filter(pl.col("person_id") == first).is_empty()


def test_r14_an_extract_may_leave_out_tables_and_columns(ward):
    small = {"patient": ward.tables["patient"].select("person_id", "sex"), "encounter": ward.tables["encounter"]}
    cdm = build_cdm(small, load_id="x")
    assert cdm["person"].height == 200 and cdm["note"].is_empty() and cdm["person"]["location_id"].null_count() == 200


def test_r17_refusals_name_the_rule(ward):
    with pytest.raises(ReleaseRefusedError, match="no table encounter"):
        build_cdm({"patient": ward.tables["patient"]}, load_id="x")
    with pytest.raises(ReleaseRefusedError, match="Did you mean 'diagnosis'"):
        build_cdm({**ward.tables, "diagnoses": ward.tables["patient"]}, load_id="x")
    twice = {**ward.tables, "patient": pl.concat([ward.tables["patient"]] * 2)}
    with pytest.raises(ReleaseRefusedError, match="one row per person"):
        build_cdm(twice, load_id="x")

"""R17: one declaration of the OMOP tables, printed for every engine."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest
import sqlalchemy as sa

from medarchive_analytics.core.errors import ReleaseRefusedError, UserError
from medarchive_analytics.store.schema import (
    conform,
    duckdb_ddl,
    empty_omop_frame,
    omop_table,
    omop_tables,
    sqlalchemy_metadata,
)

SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "omop"


def test_r17_all_tables_of_cdm_54_are_declared():
    groups = [t.group for t in omop_tables().values()]
    assert (groups.count("cdm"), groups.count("vocab"), groups.count("results")) == (27, 10, 2)
    assert sum(len(t.columns) for t in omop_tables().values()) == 432
    assert all(c.meaning for t in omop_tables().values() for c in t.columns.values())


def test_r17_printers_agree_on_every_column():
    connection = duckdb.connect(":memory:")
    metadata = sqlalchemy_metadata()
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    kinds = {"BIGINT": pl.Int64(), "INTEGER": pl.Int32(), "DOUBLE": pl.Float64(), "DATE": pl.Date(),
             "TIMESTAMP": pl.Datetime("us"), "VARCHAR": pl.String()}  # fmt: skip
    for name, table in omop_tables().items():
        connection.execute(duckdb_ddl(name))
        described = connection.execute(f'DESCRIBE "{name}"').fetchall()
        assert {row[0]: kinds[row[1]] for row in described} == table.polars_schema
        required = {c.name for c in table.columns.values() if c.is_required}
        assert required <= {row[0] for row in described if row[2] == "NO"}
        arrow = table.arrow_schema
        assert pl.DataFrame(arrow.empty_table()).schema == pl.Schema(table.polars_schema)
        assert {f.name for f in arrow if not f.nullable} == required
        mirrored = metadata.tables[name]
        assert [c.name for c in mirrored.columns] == list(table.columns)
        assert {c.name for c in mirrored.primary_key} == set(table.primary_key)


def test_r17_every_key_and_concept_is_64_bit():
    for table in omop_tables().values():
        for column in table.columns.values():
            if column.foreign_key or column.name.endswith("_concept_id"):
                target = column.foreign_key.split(".") if column.foreign_key else None
                if target and omop_table(target[0]).columns[target[1]].base_type == "text":
                    continue
                assert column.type == "bigint", f"{table.name}.{column.name}"


def test_r17_foreign_keys_point_at_declared_keys():
    for table in omop_tables().values():
        for column in table.columns.values():
            if column.foreign_key:
                other, key = column.foreign_key.split(".")
                assert omop_table(other).columns[key].is_primary_key


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="sample OMOP exports are not here")
def test_r17_headers_of_a_real_54_export_match():
    files = sorted((SAMPLES / "synthea27nj").glob("*.csv"))
    assert len(files) == 39
    for path in files:
        header = path.read_text(encoding="utf-8").split("\n", 1)[0].strip().lower().split(",")
        assert sorted(header) == sorted(omop_table(path.stem.lower()).columns), path.stem


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="sample OMOP exports are not here")
def test_r17_rows_of_a_real_54_export_conform():
    for name in ("PERSON", "VISIT_OCCURRENCE", "CONDITION_OCCURRENCE", "DEATH", "OBSERVATION_PERIOD"):
        table = omop_table(name.lower())
        raw = pl.read_csv(SAMPLES / "synthea27nj" / f"{name}.csv", infer_schema=False).rename(str.lower)
        casts = [
            pl.col(c).str.slice(0, 10).str.to_date()
            if t == pl.Date()
            else pl.col(c).str.slice(0, 19).str.to_datetime(strict=False, time_unit="us")
            if t == pl.Datetime("us")
            else pl.col(c).cast(t)
            for c, t in table.polars_schema.items()
        ]
        assert conform(raw.select(casts), name.lower()).height == raw.height


def test_r17_conform_refuses_what_does_not_fit():
    with pytest.raises(ReleaseRefusedError, match="gender_concept_id"):
        conform(pl.DataFrame({"gender_concept": [1]}), "person")
    with pytest.raises(ReleaseRefusedError, match="required but empty in 1 of 1"):
        conform(pl.DataFrame({"person_id": [1], "gender_concept_id": [0]}), "person")
    row = {"observation_period_id": 1, "person_id": 1, "period_type_concept_id": 0}
    days = {"observation_period_start_date": pl.Series(["2020-01-01"] * 2).str.to_date(),
            "observation_period_end_date": pl.Series(["2020-01-02"] * 2).str.to_date()}  # fmt: skip
    with pytest.raises(ReleaseRefusedError, match="repeats"):
        conform(pl.DataFrame({k: [v, v] for k, v in row.items()} | days), "observation_period")
    with pytest.raises(UserError, match="Did you mean 'person'"):
        omop_table("persons")
    assert empty_omop_frame("death").height == 0

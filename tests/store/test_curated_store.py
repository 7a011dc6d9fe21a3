"""R17: the store is written whole or not at all, and can only be read."""

from __future__ import annotations

import time

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from medarchive_analytics.core.errors import HomeError, IntegrityError, ReleaseRefusedError, UserError
from medarchive_analytics.store import (
    allocated_concepts,
    build_cdm,
    content_hash,
    loaded_releases,
    open_store,
    read_manifest,
    remove_release,
    write_cdm,
)


@pytest.fixture
def home(cdm, tmp_path):
    write_cdm(cdm, tmp_path / "store" / "rel-1", {"release_id": "rel-1"})
    return tmp_path / "store"


def test_r17_content_hash_ignores_file_bytes_and_row_order(cdm, home):
    manifest = read_manifest(home / "rel-1")
    assert content_hash(home / "rel-1") == manifest["content_sha256"]
    path = home / "rel-1" / "omop" / "measurement.parquet"
    pl.read_parquet(path).sample(fraction=1.0, shuffle=True, seed=3).write_parquet(path, compression="snappy")
    assert content_hash(home / "rel-1") == manifest["content_sha256"]


def test_r17_content_hash_sees_one_changed_value(home):
    path = home / "rel-1" / "omop" / "person.parquet"
    frame = pl.read_parquet(path)
    frame.with_columns(pl.col("year_of_birth") + pl.Series([1] + [0] * (frame.height - 1))).write_parquet(path)
    assert content_hash(home / "rel-1") != read_manifest(home / "rel-1")["content_sha256"]
    path.write_bytes(b"not parquet")
    with pytest.raises(IntegrityError, match="person"):
        content_hash(home / "rel-1")


def test_r26_loading_again_changes_nothing(cdm, home):
    before = (home / "rel-1" / "store.json").stat().st_mtime_ns
    time.sleep(0.01)
    write_cdm(cdm, home / "rel-1", {"release_id": "rel-1"})
    assert (home / "rel-1" / "store.json").stat().st_mtime_ns == before
    with pytest.raises(ReleaseRefusedError, match="other content"):
        write_cdm({**cdm, "note": cdm["note"].head(3)}, home / "rel-1", {})


def test_r17_a_killed_load_leaves_no_half_store(cdm, tmp_path, monkeypatch):
    calls = {"n": 0}
    real = pl.DataFrame.write_parquet

    def broken(self, *args, **kwargs):
        calls["n"] += 1
        if calls["n"] == 9:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", broken)
    with pytest.raises(KeyboardInterrupt):
        write_cdm(cdm, tmp_path / "store" / "rel-1", {})
    assert calls["n"] == 9 and loaded_releases(tmp_path / "store") == [] and not list((tmp_path / "store").iterdir())


def test_r17_a_hidden_leftover_of_a_crash_is_not_read(cdm, home):
    (home / ".rel-2.partial-abc" / "omop").mkdir(parents=True)
    assert open_store(home).release_ids == ["rel-1"]


def test_r17_reads_in_sql_polars_pandas_arrow(home, cdm):
    store = open_store(home)
    counted = store.sql("SELECT count(*) AS n FROM person WHERE year_of_birth < ?", [1955])
    assert counted["n"].item() == cdm["person"].filter(pl.col("year_of_birth") < 1955).height
    assert isinstance(store.sql("SELECT 1 AS a", as_="pandas"), pd.DataFrame)
    assert isinstance(store.sql("SELECT 1 AS a", as_="arrow"), pa.Table)
    assert store.sql("SELECT $x AS a", {"x": 5})["a"].item() == 5
    assert store.table("person").collect().equals(cdm["person"])
    frame = store.pandas("visit_occurrence")
    assert len(frame) == cdm["visit_occurrence"].height
    assert frame["preceding_visit_occurrence_id"].isna().any()  # and keys are still integers
    assert "int64" in str(frame["visit_occurrence_id"].dtype)
    assert store.info["rows"]["person"] == 200 and store.releases["persons"].item() == 200
    assert "200 persons" in repr(store) and "<table>" in store._repr_html_()


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM person",
        "CREATE TABLE x AS SELECT 1",
        "INSERT INTO person SELECT * FROM person",
        "DROP VIEW person",
        "COPY person TO '/tmp/x.csv'",
        "ATTACH '/tmp/x.db'",
        "SET enable_external_access = true",
        "PRAGMA version",
        "SELECT 1; SELECT 2",
        "WITH a AS (SELECT 1) INSERT INTO person SELECT * FROM a",
        "INSTALL httpfs",
        "CALL pragma_version()",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM query('SELECT 1')",
        "EXPLAIN ANALYZE DELETE FROM person",
        "SELECT (SELECT content FROM read_text('/etc/passwd'))",
        "FROM read_blob('/etc/passwd')",
        "",
        "SELEC 1",
    ],
)
def test_r17_store_only_reads_its_own_tables(home, query):
    with pytest.raises(UserError):
        open_store(home).sql(query)


def test_r17_duckdb_itself_refuses_other_files(home, tmp_path):
    """The parser is the first wall; the engine's own settings are the second."""
    other = tmp_path / "secret.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(other)
    connection = open_store(home)._connection.cursor()
    for query in (
        f"SELECT * FROM read_parquet('{other}')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        "SET threads = 1",
    ):
        with pytest.raises(Exception, match=r"(?i)permission|disabled|locked|cannot access"):
            connection.execute(query)


def test_r17_accepts_what_reads(home):
    store = open_store(home)
    for query in (
        "WITH a AS (SELECT person_id FROM person) SELECT count(*) FROM a JOIN death USING (person_id)",
        "EXPLAIN SELECT * FROM person",
        "SELECT unnest([1, 2])",
        "SELECT * FROM range(3)",
        "SELECT 1 UNION ALL SELECT 2",
        "SELECT table_name FROM information_schema.tables",
        "FROM person LIMIT 1",
    ):
        assert store.sql(query) is not None, query


def test_r17_near_names_are_offered(home):
    store = open_store(home)
    with pytest.raises(UserError, match="Did you mean 'person'"):
        store.sql("SELECT * FROM persn")
    with pytest.raises(UserError, match="Did you mean 'measurement'"):
        store.table("measurements")
    with pytest.raises(UserError, match="polars"):
        store.sql("SELECT 1", as_="polar")


def test_r16_a_revoked_release_leaves_the_store(home):
    assert loaded_releases(home) == ["rel-1"]
    remove_release(home, "rel-1")
    assert loaded_releases(home) == [] and not list(home.iterdir())
    store = open_store(home)
    assert store.sql("SELECT count(*) AS n FROM person")["n"].item() == 0
    with pytest.raises(UserError, match="unknown release"):
        remove_release(home, "rel-1")


def test_r17_two_releases_are_read_as_one(ward, cdm, home):
    second = dict(ward.tables)
    extra = pl.concat(
        [
            second["drug_order"]
            .head(1)
            .with_columns(pl.lit(77).alias("order_id").cast(pl.Int64), pl.lit("A00").alias("code"))
        ]
    )
    second["drug_order"] = pl.concat([second["drug_order"], extra])
    frames = build_cdm(second, ward.facts, load_id="load-2", earlier_concepts=allocated_concepts(home))
    write_cdm(frames, home / "rel-2", {})
    store = open_store(home)
    assert store.sql("SELECT count(*) AS n FROM person")["n"].item() == 200
    assert store.sql("SELECT count(*) AS n FROM drug_exposure")["n"].item() == cdm["drug_exposure"].height + 1
    assert store.table("drug_exposure").collect().height == cdm["drug_exposure"].height + 1
    assert store.release_ids == ["rel-1", "rel-2"]


def test_r17_releases_that_contradict_each_other_are_refused(ward, home):
    other = dict(ward.tables)
    other["drug_order"] = other["drug_order"].with_columns(pl.col("code").str.replace("B01AC06", "A99ZZ99"))
    write_cdm(build_cdm(other, ward.facts, load_id="load-2"), home / "rel-2", {})
    with pytest.raises(IntegrityError, match="different codes"):
        open_store(home)


def test_r17_no_store_is_said_so(tmp_path):
    with pytest.raises(HomeError):
        open_store(tmp_path / "nowhere")
    with pytest.raises(ReleaseRefusedError, match="named with"):
        write_cdm({}, tmp_path / "store" / "../x y", {})

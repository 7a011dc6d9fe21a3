"""R13, R14: structured columns, date shifting, ages, consistency, quarantine, and the risk rule."""

# ruff: noqa: E501  -- tables of rows read better unbroken

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medarchive_analytics.core.errors import UserError
from medarchive_analytics.core.filing import filing_standard
from medarchive_analytics.deid import (
    SurrogateKey,
    TextDeidentifier,
    apply_risk_rule,
    dates,
    deidentify_batch,
    deidentify_tables,
    known_persons,
    load_policy,
    scan_residual,
)  # fmt: skip

KEY = SurrogateKey(b"table-test-secret-0123456789")
STANDARD = filing_standard()


def frame(table: str, rows: list[dict]) -> pl.DataFrame:
    """Rows of a filing table with absent columns empty."""
    schema = STANDARD.table(table).schema
    return pl.DataFrame([{c: row.get(c) for c in schema} for row in rows], schema=schema)


def hospital(n: int = 12) -> dict[str, pl.DataFrame]:
    """A small archive whose people have distinct known identifiers."""
    given_names = ["晓峰", "丽娟", "志远", "文博", "秀英", "俊杰", "思雨", "海燕", "玉兰", "子轩", "春生", "雪梅"]
    patients, visits, notes, diagnoses, items, follow = [], [], [], [], [], []
    for i in range(n):
        mrn, name, phone = f"{i:05d}77", "贺" + given_names[i % 12], f"1360571{i:04d}"
        admit = dt.datetime(2022, 2, 27, 10, 5) + dt.timedelta(days=11 * i)
        patients.append({"mrn": mrn, "name": name, "sex": "male" if i % 2 else "female", "phone": phone, "province": "浙江省",
                         "birth_date": dt.date(1928 + 5 * i, 6, 1), "death_time": admit + dt.timedelta(days=400) if i == 3 else None})  # fmt: skip
        visits.append({"encounter_id": f"v{i}", "mrn": mrn, "visit_type": "inpatient", "admit_time": admit, "admission_no": f"H{i:06d}",
                       "discharge_time": admit + dt.timedelta(days=6, hours=3), "attending_doctor": "d7", "age_years": None})  # fmt: skip
        text = f"{name}于{admit:%Y-%m-%d}入院，{admit + dt.timedelta(days=2):%Y-%m-%d}手术。住院号H{i:06d}，回访{phone}。d7号工位 章国平"
        notes.append({"note_id": f"n{i}", "encounter_id": f"v{i}", "mrn": mrn, "record_class": "progress_note", "author": "d7",
                      "written_time": admit + dt.timedelta(hours=2), "title": "病程记录", "text": text})  # fmt: skip
        diagnoses.append({"diagnosis_id": f"x{i}", "encounter_id": f"v{i}", "mrn": mrn, "name": "2型糖尿病" if i else f"糖尿病（{name}）",
                          "start_time": admit + dt.timedelta(days=1)})  # fmt: skip
        items.append(
            {
                "measurement_id": f"m{i}",
                "mrn": mrn,
                "item_name": "空腹血糖",
                "value_text": "阴性",
                "time": admit,
                "specimen_no": f"S88{i:05d}",
            }
        )
        follow.append({"follow_up_id": f"f{i}", "mrn": mrn, "time": admit + dt.timedelta(days=90), "status": "alive"})
    staff = frame("staff", [{"staff_id": "d7", "name": "章国平"}])
    tables = {
        "patient": patients,
        "encounter": visits,
        "note": notes,
        "diagnosis": diagnoses,
        "measurement": items,
        "follow_up": follow,
    }
    return {name: frame(name, rows) for name, rows in tables.items()} | {"staff": staff}


@pytest.fixture(scope="module")
def released():
    """The small archive, de-identified once."""
    return deidentify_tables(hospital(), KEY, load_policy())


def test_released_schema_exactly_r13(released):
    """R13: every released table has exactly the released columns and types of the filing standard."""
    assert set(released.tables) == set(STANDARD.released_tables)
    for name, table in released.tables.items():
        assert dict(table.schema) == STANDARD.table(name).released_schema
    assert released.quarantined_notes.is_empty()


def test_no_identified_value_is_left_in_any_cell_r13(released):
    """R13: canary over all cells of all released tables, the report and the repr."""
    original = hospital()
    secrets = {str(v) for c in ("name", "phone", "mrn") for v in original["patient"][c]} | {"章国平"}
    secrets |= {str(v) for v in original["encounter"]["admission_no"]} | {
        str(v) for v in original["measurement"]["specimen_no"]
    }
    cells = "\n".join(table.write_csv() for table in released.tables.values()) + str(released.report) + repr(released)
    assert not [s for s in secrets if s in cells]
    persons = {KEY.pseudonym("person", m): p for m, p in known_persons(original).items()}
    assert not scan_residual(released.tables, persons)


def test_links_and_intervals_are_kept_r14(released):
    """R14: links between tables hold; all dates of one person move by one non-zero number of whole weeks."""
    original = hospital()
    moved = {}
    for table, column in (("encounter", "admit_time"), ("encounter", "discharge_time"), ("note", "written_time"), ("diagnosis", "start_time"),
                          ("measurement", "time"), ("follow_up", "time"), ("patient", "death_time")):  # fmt: skip
        old = original[table].select("mrn", column).drop_nulls()
        new = released.tables[table].select("person_id", column).drop_nulls()
        for (mrn, before), (person, after) in zip(old.iter_rows(), new.iter_rows()):
            assert person == KEY.pseudonym("person", mrn)
            moved.setdefault(person, set()).add((after - before).total_seconds() / 86400)
    for shifts in moved.values():
        (shift,) = shifts
        assert shift != 0 and shift % 7 == 0 and abs(shift) <= 364
    assert len({next(iter(s)) for s in moved.values()}) > 3
    assert set(released.tables["note"]["visit_id"]) == set(released.tables["encounter"]["visit_id"])
    assert released.tables["note"]["provider_id"][0] == released.tables["encounter"]["provider_id"][0]


def test_dates_in_notes_move_with_the_tables_r14(released):
    """R14: the day of admission written in a note equals the released admission day."""
    days = {r["visit_id"]: r["admit_time"] for r in released.tables["encounter"].iter_rows(named=True)}
    for row in released.tables["note"].iter_rows(named=True):
        admit = days[row["visit_id"]]
        assert f"{admit:%Y-%m-%d}入院，{admit + dt.timedelta(days=2):%Y-%m-%d}手术" in row["text"]


def test_ages_are_banded_and_pooled_r14(released):
    """R14: a missing age is computed, released as the lower bound of its band, and 90 and over is one band."""
    ages = released.tables["encounter"]["age_years"].to_list()
    assert ages[0] == 90  # born 1928, admitted 2022
    assert all(a % 5 == 0 and a <= 90 for a in ages)
    birth = dt.date(1928 + 25, 6, 1)
    admit = hospital()["encounter"]["admit_time"][5].date()
    exact = admit.year - birth.year - ((admit.month, admit.day) < (birth.month, birth.day))
    assert ages[5] == exact // 5 * 5


def test_release_is_the_same_again_and_with_workers_r14(released):
    """R14: same key, same bytes; another key, other pseudonyms; the pool equals one process."""
    again = deidentify_tables(hospital(), KEY, load_policy())
    assert all(again.tables[n].equals(t) for n, t in released.tables.items())
    other = deidentify_tables(hospital(), SurrogateKey(b"another-secret-0123456789"), load_policy())
    assert not set(other.tables["patient"]["person_id"]) & set(released.tables["patient"]["person_id"])
    original = hospital()
    people = known_persons(original)
    texts = original["note"]["text"].to_list() * 20
    owners = [people[m] for m in original["note"]["mrn"]] * 20
    one = deidentify_batch(texts, owners, load_policy(), KEY)
    assert one == deidentify_batch(texts, owners, load_policy(), KEY, workers=2)


def test_other_date_modes_r13():
    """R13: Safe Harbor leaves the year only; a limited data set keeps dates; both still hide names."""
    year = deidentify_tables(hospital(3), KEY, load_policy("safe_harbor")).tables
    assert all(t.month == 1 and t.day == 1 for t in year["encounter"]["admit_time"])
    assert "2022入院" in year["note"]["text"][0] and "2022-02" not in year["note"]["text"][0]
    kept = deidentify_tables(hospital(3), KEY, load_policy("limited")).tables
    assert kept["encounter"]["admit_time"].to_list() == hospital(3)["encounter"]["admit_time"].to_list()
    assert "2022-02-27入院" in kept["note"]["text"][0] and "晓峰" not in kept["note"]["text"][0]


def test_quarantined_notes_are_left_out_and_listed_r13(monkeypatch):
    """R13: a planted fault (the detector finds nothing) makes the audit hold every note back, by reason, without content."""
    monkeypatch.setattr(TextDeidentifier, "_find", lambda self, normal, person: [])
    result = deidentify_tables(hospital(4), KEY, load_policy())
    assert result.tables["note"].is_empty()
    assert result.quarantined_notes["note_id"].to_list() == ["n0", "n1", "n2", "n3"]
    assert result.report["notes_quarantined"] == 4 and result.report["short_texts_withheld"] == 1
    assert not any("晓峰" in reason for reason in result.quarantined_notes["reason"])


def test_unknown_tables_columns_and_patients_are_refused_r13():
    """R13: messages name tables and columns, never values."""
    with pytest.raises(UserError, match="filing table"):
        deidentify_tables({"pateint": frame("patient", [])}, KEY, load_policy())
    with pytest.raises(UserError, match="'patient'"):
        deidentify_tables({}, KEY, load_policy())
    tables = hospital(2)
    tables["patient"] = tables["patient"].head(1)
    with pytest.raises(UserError, match="encounter") as caught:
        deidentify_tables(tables, KEY, load_policy())
    assert "0000177" not in str(caught.value)


def test_policies_are_strict_r13(tmp_path):
    """R13: unknown policies, keys and values are refused."""
    assert {load_policy(n).date_mode for n in ("shifted", "safe_harbor", "limited")} == {"shift", "year", "keep"}
    for content, words in (
        ("colour = 1", "policy key"),
        ('date_mode = "nope"', "date_mode"),
        ("age_top = 95", "age_top"),
        ("= 1", "TOML"),
    ):
        path = tmp_path / "p.toml"
        path.write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=words):
            load_policy(path)
    with pytest.raises(UserError, match="policy"):
        load_policy("shfited")
    with pytest.raises(UserError, match="16 bytes"):
        SurrogateKey(b"short")


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=20), st.integers(1, 52), st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1)), st.integers(0, 3000)
)
def test_intervals_survive_any_shift_r14(mrn, weeks, day, gap):
    """R14: the shift is whole weeks, never zero, and written dates keep interval and weekday in every full form."""
    shift = KEY.shift_days(mrn, weeks)
    assert shift % 7 == 0 and 0 < abs(shift) <= 7 * weeks
    later = day + dt.timedelta(days=gap)
    for written in (
        "{0:%Y-%m-%d}",
        "{0.year}年{0.month}月{0.day}日",
        "{0:%m/%d/%Y}",
        "{0:%B} {0.day}, {0.year}",
        "{0:%Y%m%d}",
        "{0.day} {0:%b} {0.year}",
    ):
        out = []
        for one in (day, later):
            shape, match, read = dates.find_shape(written.format(one))
            assert read == (one.year, one.month, one.day)
            again = dates.write(shape, match, one + dt.timedelta(days=shift))
            out.append(dt.date(*dates.find_shape(again)[2]))
        assert (out[1] - out[0]).days == gap and out[0].weekday() == day.weekday()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=2, max_size=20, unique=True))
def test_pseudonyms_fit_a_double_and_differ_r14(values):
    """R14: 53 bits, positive, distinct for distinct values, other in another domain."""
    keyed = [KEY.pseudonym("person", v) for v in values]
    assert len(set(keyed)) == len(values) and all(0 < k < 2**53 for k in keyed)
    assert KEY.pseudonym("visit", values[0]) != keyed[0]


def _people(rows: list[tuple[int, str, str]]) -> dict[str, pl.DataFrame]:
    ids = list(range(1, len(rows) + 1))
    patient = pl.DataFrame(
        {"person_id": ids, "sex": [r[1] for r in rows], "province": [r[2] for r in rows]},
        schema_overrides={"province": pl.String},
    )
    visit = pl.DataFrame(
        {"person_id": ids, "age_years": [r[0] for r in rows], "admit_time": [dt.datetime(2024, 1, 1)] * len(rows)}
    )
    return {"patient": patient, "encounter": visit}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([60, 65, 70, None]), st.sampled_from(["male", "female"]), st.sampled_from(["浙江省", "江苏省", None])), max_size=60),
    st.integers(1, 6),
)  # fmt: skip
def test_no_class_below_k_is_left_r15(rows, k):
    """R15: recounted by hand, every class that is released has at least k persons, and the report agrees."""
    tables, report = apply_risk_rule(_people(rows), k)
    ages = dict(tables["encounter"].select("person_id", "age_years").iter_rows())
    classes = {}
    for person, sex, province in tables["patient"].select("person_id", "sex", "province").iter_rows():
        classes[(ages[person], sex, province)] = classes.get((ages[person], sex, province), 0) + 1
    assert all(size >= k for size in classes.values())
    assert report.n_released == sum(classes.values()) == report.n_persons - report.n_withheld
    assert report.min_k == min(classes.values(), default=0)
    if classes:
        assert report.marketer_risk == pytest.approx(len(classes) / report.n_released)
        assert report.prosecutor_risk == pytest.approx(1 / report.min_k)


def test_risk_rule_suppresses_then_withholds_r15():
    """R15: two lone provinces merge into "not shown"; a lone age band goes, with all its rows."""
    rows = (
        [(60, "male", "浙江省")] * 5
        + [(60, "male", "江苏省")] * 3
        + [(60, "male", "安徽省")] * 2
        + [(90, "female", "浙江省")]
    )
    tables, report = apply_risk_rule(_people(rows), 5)
    assert (report.n_withheld, report.n_province_suppressed, report.min_k, report.min_k_before) == (1, 5, 5, 1)
    assert 11 not in tables["encounter"]["person_id"].to_list()
    assert tables["patient"]["province"].null_count() == 5

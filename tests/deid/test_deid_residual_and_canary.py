"""R13: the residual audit catches planted faults and not our own surrogates; nothing identified reaches logs or reprs."""

# ruff: noqa: E501  -- tables of rows read better unbroken

import datetime as dt
import logging

from medarchive_analytics.deid import (
    KnownPerson,
    SurrogateKey,
    TextDeidentifier,
    deid_jsonl,
    load_policy,
    scan_residual,
)
from medarchive_analytics.deid.surrogates import is_marked_number, is_surrogate_name

PERSON = KnownPerson.from_rows(
    {
        "mrn": "00733190", "name": "孔德全", "name_latin": "KONG Dequan", "birth_date": dt.date(1949, 8, 21), "phone": "13705718899",
        "resident_id": "11010519491231002X", "email": "kongdq@example.org", "contact_name": "孔小雪",
    },
    [{"admission_no": "A550912", "encounter_id": "e-1", "admit_time": dt.datetime(2023, 5, 2)}],
)  # fmt: skip
NOTE = (
    "姓名：孔德全 病案号：00733190 电话13705718899 身份证11010519491231002X 邮箱kongdq@example.org\n"
    "孔德全（女儿孔小雪陪同）于2023年5月2日入院，住院号A550912，生于1949-08-21。KONG Dequan, MRN 00733190.\n"
)
PLANTS = {
    "姓名：沈国梁，复诊": "PERSON",
    "Patient Name: Harriet Oldfield": "PERSON",
    "随访号码 13705710000 已通": "PHONE",
    "编码440524188001010014": "RESIDENT_ID",
    "代码91330100799655058B": "SOCIAL_CREDIT_CODE",
    "收费 4111111111111111": "BANK_CARD",
    "SSN 512-44-9087": "US_SSN",
    "写信至 who@example.org": "EMAIL",
    "条码 88213377 已贴": "ID_NUMBER",
}


def test_audit_sees_what_was_not_hidden_r13():
    """R13: with de-identification left out, each kind of identifier is found, with and without a person."""
    for text, kind in PLANTS.items():
        assert kind in {f.type for f in scan_residual([text])}, kind
    rules = {f.rule for f in scan_residual([NOTE], [PERSON])}
    assert {"known_name", "known_number", "known_birth_date", "checked_number", "name_after_label"} <= rules
    for value in ("孔 德 全", "ｋｏｎｇ ｄｅｑｕａｎ", "0073-3190", "137 0571 8899", "1949.08.21", "孔\n小雪"):
        assert scan_residual([f"补记：{value}。"], [PERSON]), "a disguised identifier was not seen"


def test_audit_does_not_flag_our_surrogates_r13():
    """R13: the output of the de-identifier passes the audit, with spans and without them, for many keys."""
    for i in range(60):
        deidentifier = TextDeidentifier(load_policy(), SurrogateKey(bytes([i]) * 32))
        result = deidentifier.deidentify(NOTE, PERSON)
        assert not result.is_quarantined, result.reason
        assert not scan_residual([result.text], [PERSON], [result.surrogate_spans])
        assert not scan_residual([result.text], [PERSON])
        for start, end in result.surrogate_spans:
            assert 0 <= start < end <= len(result.text)


def test_surrogates_are_marked_and_never_valid_r14():
    """R14: names come from the closed lists, numbers carry the mark, identity numbers fail their check."""
    result = TextDeidentifier(load_policy(), SurrogateKey(b"m" * 32)).deidentify(NOTE, PERSON)
    kinds = {s.type: result.text[a:b] for s, (a, b) in zip(result.spans, result.surrogate_spans)}
    assert is_surrogate_name(kinds["PERSON"]) and is_marked_number("".join(c for c in kinds["PHONE"] if c.isdigit()))
    assert kinds["RESIDENT_ID"].startswith("99") and kinds["PHONE"].startswith("12")
    assert not is_surrogate_name("孔德全") and not is_surrogate_name("KONG Dequan")


def test_no_identified_value_in_logs_streams_or_reprs_r13(caplog, capfd):
    """R13: canary: run everything at DEBUG, search every channel."""
    caplog.set_level(logging.DEBUG)
    key = SurrogateKey(b"canary-secret-value-0123456789")
    deidentifier = TextDeidentifier(load_policy(), key)
    result = deidentifier.deidentify(NOTE, PERSON)
    bad = list(
        deid_jsonl(['{"id": 1, "text": "孔德全', '{"id": 2}', '{"id": 3, "text": 13705718899}'], load_policy(), key)
    )
    shown = [
        repr(x)
        for x in (PERSON, key, deidentifier, result, result.spans, result.residual, scan_residual([NOTE], [PERSON]))
    ]
    streams = capfd.readouterr()
    everything = "".join([*shown, *bad, caplog.text, streams.out, streams.err])
    for value in (
        "孔德全",
        "13705718899",
        "00733190",
        "11010519491231002X",
        "kongdq",
        "Dequan",
        "canary-secret",
        "1949",
    ):
        assert value not in everything

"""R13: JSON Lines for the command line, and the Presidio interface, offline."""

# ruff: noqa: E501  -- tables of rows read better unbroken

import json
import socket

import pytest

from medarchive_analytics.deid import JsonlDeidentifier, SurrogateKey, deid_jsonl, load_policy

KEY = SurrogateKey(b"jsonl-secret-0123456789")


def test_offsets_are_characters_of_the_input_r13():
    """R13: spans cut the identifiers out of the text as written, astral and zero-width characters included."""
    text = "😀 姓名：路\u200b遥远 电话：１３９０５７１００２２，复查正常。"
    (line,) = deid_jsonl([json.dumps({"id": "a", "text": text})], load_policy(), KEY)
    out = json.loads(line)
    cut = {s["type"]: text[s["start"] : s["end"]] for s in out["spans"]}
    assert cut == {"PERSON": "路\u200b遥远", "PHONE": "１３９０５７１００２２"}
    assert all(set(s) == {"start", "end", "type", "score"} and 0 < s["score"] <= 1 for s in out["spans"])
    assert out["text"].startswith("😀 姓名：") and out["text"].endswith("，复查正常。") and "遥远" not in out["text"]


def test_known_values_and_lists_are_used_r13():
    """R13: `known` maps filing columns to a value or a list."""
    record = {
        "id": 7,
        "text": "夜班见春晖卧床，爱人桂芳陪护，编号X-4471。",
        "known": {"name": ["骆春晖"], "contact_name": "温桂芳", "other_id": ["X4471"]},
    }
    out = json.loads(next(deid_jsonl([json.dumps(record)], load_policy(), KEY)))
    assert not any(w in out["text"] for w in ("春晖", "桂芳", "4471"))
    only = json.loads(next(deid_jsonl([json.dumps(record)], load_policy(), KEY, is_spans_only=True)))
    assert "text" not in only and only["spans"] == out["spans"]
    assert "春晖" in json.loads(next(deid_jsonl([json.dumps({**record, "known": None})], load_policy(), KEY)))["text"]


def test_malformed_lines_become_counted_error_records_r13():
    """R13: an error record names line and kind, has no content, and the stream goes on."""
    lines = ["{", "[]", '{"text": "x"}', '{"id": 1}', '{"id": [], "text": "x"}', '{"id": 1, "text": "x", "known": 3}', "",
             '{"id": 1, "text": "\\ud800"}', '{"id": 9, "text": "术后恢复好"}']  # fmt: skip
    worker = JsonlDeidentifier(load_policy(), KEY)
    out = [json.loads(line) for line in worker.run(lines)]
    assert [o.get("error") for o in out] == ["not_json", "not_an_object", "no_id", "no_text", "id_is_no_text_or_number", "known_is_no_object",
                                             "text_is_not_unicode", None]  # fmt: skip
    assert out[-1] == {"id": 9, "text": "术后恢复好", "spans": []} and out[6]["line"] == 8
    assert worker.counts == {"lines": 8, "texts": 1, "spans": 0, "quarantined": 0, "errors": 7}


def test_presidio_engine_finds_chinese_and_english_offline_r13(monkeypatch):
    """R13: a Presidio user gets zh and en from one recogniser with sockets blocked."""

    def refuse(*args, **kwargs):
        raise AssertionError("a network connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    from medarchive_analytics.deid.presidio import build_analyzer_engine

    engine = build_analyzer_engine()
    text = "姓名：尹小舟 身份证号：11010519491231002X 电话13800138000 住院号0012345 2024年3月5日 Dr. Fairbanks, MRN: 8817290"
    for language in ("zh", "en"):
        found = {r.entity_type: text[r.start : r.end] for r in engine.analyze(text, language=language)}
        assert found["RESIDENT_ID"] == "11010519491231002X" and found["PHONE"] == "13800138000"
        assert {"PERSON", "ID_NUMBER", "DATE"} <= set(found)
    only = engine.analyze(text, language="zh", entities=["PHONE"])
    assert [text[r.start : r.end] for r in only] == ["13800138000"]
    with pytest.raises(ValueError, match="No matching recognizers"):
        engine.analyze(text, language="fr")

"""R19: a target trial from card to verdict, on a compact ward whose truth is known."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import medarchive_analytics as ma
from medarchive_analytics.core.errors import NotEstimableError, ProtocolError, UserError
from medarchive_analytics.mining.effects.result import Verdict, suppress_steps
from medarchive_analytics.store import build_cdm, write_cdm

CARD = Path(__file__).resolve().parents[2] / "trials" / "ticagrelor_acs.toml"


@pytest.fixture(scope="module")
def raw():
    return tomllib.loads(CARD.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def make_store(hospital, tmp_path_factory):
    def make(change=None, **plan):
        ward = hospital.small_ward(hospital.Plan(**plan))
        tables, facts = dict(ward.tables), ward.facts
        if change:
            tables, facts = change(tables, facts)
        home = tmp_path_factory.mktemp("home") / "store"
        write_cdm(build_cdm(tables, facts, load_id="r"), home / "rel-1", {})
        return ma.open_store(home), ward

    return make


@pytest.fixture(scope="session")
def study(make_store):
    store, ward = make_store(n=6000, seed=5)
    return ma.TargetTrial.from_toml(CARD).emulate(store), ward


def test_r19_adjustment_recovers_the_planted_effect(study):
    result, ward = study
    adjusted, doubly, crude = (
        result.effect(m) for m in ("risk_difference", "risk_difference_aipw", "crude_risk_difference")
    )
    assert adjusted["lower"] <= ward.true_risk_difference <= adjusted["upper"]
    assert doubly["lower"] <= ward.true_risk_difference <= doubly["upper"]
    assert not crude["lower"] <= ward.true_risk_difference <= crude["upper"]  # confounding was really there
    assert result.verdict is Verdict.FIT
    assert abs(adjusted["estimate"] - doubly["estimate"]) < 0.01


def test_r19_weighting_balances_every_covariate(study):
    balance = study[0].table("balance")
    assert balance["smd_before"].abs().max() > 0.2 and balance["smd_after"].abs().max() < 0.1
    assert {"age", "smoking", "condition_severe", "creatinine_missing"} <= set(balance["name"])


def test_r19_note_text_matters(make_store):
    """Smoking lives only in notes: a card without it leaves more bias behind."""
    store, _ = make_store(n=6000, seed=6, confounding=1.0)
    raw = tomllib.loads(CARD.read_text(encoding="utf-8"))
    full = ma.TargetTrial.from_dict(raw).emulate(store)
    raw["covariates"] = [c for c in raw["covariates"] if c["name"] != "smoking"]
    without = ma.TargetTrial.from_dict(raw).emulate(store)
    assert without.effect("risk_difference")["estimate"] < full.effect("risk_difference")["estimate"]


def test_r19_the_same_rows_under_other_names_give_the_same_digits(make_store):
    """Pseudonyms and row order change between builds; results may not."""

    def other_names(tables, facts):
        def rename(frame):
            keys = [c for c in ("person_id", "visit_id", "note_id") if c in frame.columns]
            frame = frame.with_columns([(pl.col(k) * 7919 + 13) % 9007199254740881 for k in keys])
            return frame.sample(fraction=1.0, shuffle=True, seed=4)

        return {n: rename(t) for n, t in tables.items()}, rename(facts)

    card = ma.TargetTrial.from_toml(CARD)
    one, two = (card.emulate(make_store(change, n=900, seed=8)[0]) for change in (None, other_names))
    first, second = (r.exact["effects"]["estimate"].to_numpy() for r in (one, two))
    assert np.array_equal(first, second)  # to the last bit: rows are ordered by content
    assert one.exact["balance"].equals(two.exact["balance"])


@pytest.mark.parametrize(
    ("name", "plan", "check"),
    [
        ("no overlap", {"n": 900, "separate": True}, {"separation", "equipoise"}),
        ("unmeasured", {"n": 900, "write_smoking": False}, {"recorded"}),
        ("underpowered", {"n": 60}, {"events_per_arm", "mdrr", "max_smd"}),
    ],
)
def test_r19_planted_failures_are_not_fit(make_store, name, plan, check):
    result = ma.TargetTrial.from_toml(CARD).emulate(make_store(seed=9, **plan)[0])
    assert result.verdict is Verdict.NOT_FIT, name
    failed = set(result.exact["diagnostics"].filter(~pl.col("pass"))["check"])
    assert failed & check
    assert "not fit" in result.reason("en") and "不可用于决策" in result.reason("zh")


def test_r19_severe_loss_is_flagged(make_store):
    result = ma.TargetTrial.from_toml(CARD).emulate(make_store(n=1500, seed=3, loss=6.0)[0])
    assert result.verdict is not Verdict.FIT
    assert "lost" in set(result.failed_checks["check"])


def test_r19_an_empty_arm_is_refused(make_store, raw):
    store, _ = make_store(n=60, seed=2)
    card = copy.deepcopy(raw)
    card["arms"][0]["drugs"] = [{"code_system": "LOCALDRUG", "code": "YP9999"}]
    with pytest.raises(NotEstimableError, match="arm"):
        ma.TargetTrial.from_dict(card).emulate(store)
    card["eligibility"]["main_diagnosis"]["prefix"] = "Z99"
    with pytest.raises(NotEstimableError, match="nobody"):
        ma.TargetTrial.from_dict(card).emulate(store)


def test_r19_both_drugs_or_a_late_order_leave_the_trial(make_store, raw):
    def change(tables, facts):
        orders = tables["drug_order"]
        two = (
            orders.filter(pl.col("code") == "YP0001")
            .head(30)
            .with_columns(pl.lit("YP0002").alias("code"), (pl.col("order_id") + 9).alias("order_id"))
        )
        late = orders.filter(pl.col("code") == "YP0002")["person_id"][:25].to_list()
        shifted = pl.when(pl.col("person_id").is_in(late)).then(pl.col("start_time") + pl.duration(days=3))
        tables["drug_order"] = pl.concat(
            [orders.with_columns(shifted.otherwise(pl.col("start_time")).alias("start_time")), two]
        )
        return tables, facts

    card = ma.TargetTrial.from_dict(raw)
    plain = card.emulate(make_store(None, n=600, seed=12)[0]).exact["attrition"]["persons"]
    steps = card.emulate(make_store(change, n=600, seed=12)[0]).exact["attrition"]
    persons = dict(zip(steps["step_en"], steps["persons"]))
    drop = persons["age within range"] - persons["an arm drug ordered within the window"]
    assert 0 < drop <= 25
    assert 0 < persons["an arm drug ordered within the window"] - persons["exactly one arm"] <= 30
    assert plain[-1] == plain[2]


def test_r19_prior_users_are_washed_out(make_store, raw):
    def change(tables, facts):
        orders = tables["drug_order"]
        early = (
            orders.filter(pl.col("code") == "YP0002")
            .head(40)
            .with_columns((pl.col("order_id") + 9).alias("order_id"), pl.col("start_time") - pl.duration(days=100))
        )
        tables["drug_order"] = pl.concat([orders, early])
        return tables, facts

    store, _ = make_store(change, n=600, seed=13)
    steps = ma.TargetTrial.from_dict(raw).emulate(store).exact["attrition"]["persons"].to_list()
    assert 0 < steps[5] - steps[6] <= 40
    raw = copy.deepcopy(raw)
    raw["eligibility"]["washout_days"] = 50
    steps = ma.TargetTrial.from_dict(raw).emulate(store).exact["attrition"]["persons"].to_list()
    assert steps[5] == steps[6]


def test_r19_values_from_after_time_zero_are_not_covariates(make_store, raw):
    def change(tables, facts):
        m = tables["measurement"]
        tables["measurement"] = m.with_columns(pl.col("time") + pl.duration(days=2))
        d = tables["diagnosis"]
        tables["diagnosis"] = d.with_columns(
            pl.when(pl.col("kind") == "other")
            .then(pl.col("start_time") + pl.duration(days=2))
            .otherwise(pl.col("start_time"))
            .alias("start_time")
        )
        return tables, facts

    result = ma.TargetTrial.from_dict(raw).emulate(make_store(change, n=600, seed=14)[0])
    assert result.verdict is Verdict.NOT_FIT and "recorded" in set(result.failed_checks["check"])
    baseline = {r["name"]: r for r in result.exact["baseline"].to_dicts()}
    assert baseline["diabetes"]["n_treatment"] == 0


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("time_zero", "anchor"), "admission", "immortal"),
        (("time_zero", "grace_days"), 7, "immortal"),
        (("eligibility", "age_min_year"), 18, "Did you mean 'age_min_years'"),
        (("eligibility", "age_min_years"), "18", "of kind int"),
        (("eligibility", "age_min_years"), 99, "above"),
        (("follow_up", "horizon_days"), 0, "at least 1"),
        (("outcome", "kind"), "deaths", "Did you mean 'death'"),
        (("outcome", "kind"), "condition", "needs a code"),
        (("analysis", "estimand"), "ATO", "estimand"),
        (("covariates", 8, "after_hours"), 72, "effect of treatment"),
        (("covariates", 6, "window_days"), -3, "after time zero"),
        (("covariates", 0, "kind"), "age", "unknown"),
        (("covariates", 3, "code"), "E11.9", "either code or prefix"),
        (("arms", 1, "role"), "treatment", "two arms"),
        (("version",), 2, "version"),
        (("covariate",), [], "Did you mean 'covariates'"),
    ],
)
def test_r19_cards_that_contradict_themselves_are_refused(raw, path, value, words):
    card = copy.deepcopy(raw)
    place = card
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ProtocolError, match=words):
        ma.TargetTrial.from_dict(card)


def test_r19_a_card_needs_its_parts(raw, tmp_path):
    card = copy.deepcopy(raw)
    del card["outcome"]
    with pytest.raises(ProtocolError, match="lacks the key 'outcome'"):
        ma.TargetTrial.from_dict(card)
    with pytest.raises(ProtocolError, match="cannot be read"):
        ma.TargetTrial.from_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = ", encoding="utf-8")
    with pytest.raises(ProtocolError, match="not valid TOML"):
        ma.TargetTrial.from_toml(tmp_path / "bad.toml")


def test_r19_protocol_hash_follows_content_not_layout(raw):
    one = ma.TargetTrial.from_dict(raw)
    other = copy.deepcopy(raw)
    assert ma.TargetTrial.from_dict(dict(reversed(other.items()))).protocol_hash == one.protocol_hash
    other["follow_up"]["horizon_days"] = 180
    assert ma.TargetTrial.from_dict(other).protocol_hash != one.protocol_hash


def test_r19_result_says_where_it_comes_from_and_shows_itself(study):
    result, _ = study
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["verdict"] == "fit" and plain["release_ids"] == ["rel-1"]
    assert {"seed", "versions", "protocol_hash", "observation_period_rule"} <= set(plain)
    text, page = str(result), result._repr_html_()
    assert "verdict: fit for decision" in text and "可用于决策参考" in page
    with pytest.raises(UserError, match="Did you mean 'balance'"):
        result.table("balances")
    with pytest.raises(UserError, match="unknown figure"):
        result.figure("kmm")
    with pytest.raises(UserError, match="unknown measure"):
        result.effect("rd")


@pytest.mark.parametrize("name", ["km", "love", "overlap", "forest"])
def test_r19_figures_are_drawn_in_both_languages(study, name):
    for lang, word in (("zh", "急性心肌梗死"), ("en", "Acute myocardial")):
        drawn = json.dumps(study[0].figure(name, lang=lang).to_dict(), ensure_ascii=False)
        assert word in drawn
    with pytest.raises(UserError, match="language"):
        study[0].figure(name, lang="fr")


def test_r16_small_counts_are_not_rendered(make_store):
    result = ma.TargetTrial.from_toml(CARD).emulate(make_store(n=120, seed=4)[0])
    least = result.trial.thresholds.min_cell
    shown = result.table("baseline").filter("is_binary")
    for role, total in (("treatment", result.n_treated), ("comparator", result.n_comparator)):
        exact = result.exact["baseline"].filter("is_binary")[f"n_{role}"]
        assert exact.is_between(1, least - 1).any()  # something had to be hidden
        for n in shown[f"n_{role}"].drop_nulls():
            assert (n == 0 or n >= least) and (n == total or total - n >= least)
    for name, column in (
        ("attrition", "persons"),
        ("attrition", "left_out"),
        ("at_risk", "persons_at_risk"),
        ("scores", "persons"),
    ):
        assert not result.table(name)[column].drop_nulls().is_between(1, least - 1).any(), name


def test_r16_suppressed_steps_cannot_be_worked_out():
    def frame(persons):
        return pl.DataFrame({"step_zh": ["x"] * len(persons), "step_en": ["x"] * len(persons), "persons": persons})

    rng = np.random.default_rng(1)
    for _ in range(300):
        drops = rng.choice([0, 1, 3, 7, 12, 40], 6)
        persons = (1000 - np.concatenate([[0], np.cumsum(drops)])).tolist()
        shown = suppress_steps(frame(persons), 11)["persons"].drop_nulls().to_list()
        gaps = np.abs(np.diff(shown))
        assert not ((gaps > 0) & (gaps < 11)).any()
    assert suppress_steps(frame([100, 97, 97, 80]), 11)["left_out"].to_list() == [None, None, None, 20]

"""R19, R27: the planted trial is confounded by indication, and the record (with the notes) holds what removes it."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import statsmodels.api as sm

from medarchive_analytics.synthetic import HospitalConfig, generate_hospital, true_effect


@cache
def study():
    """Emulate the trial by hand from the filing tables; smoking from the truth of the notes."""
    hospital = generate_hospital(HospitalConfig(n_patients=40_000, seed=11, with_notes=False, defect_rate=0))
    t, truth = hospital.tables, hospital.truth["potential_outcomes"]
    rx = t["drug_order"].filter(pl.col("code").is_in(["YP0001", "YP0002"]))
    main = t["diagnosis"].filter((pl.col("kind") == "main") & pl.col("code").str.starts_with("I21"))
    stays = (
        t["encounter"]
        .filter(pl.col("visit_type") == "inpatient")
        .sort("admit_time")
        .unique("mrn", keep="first")
        .join(main.select("encounter_id"), on="encounter_id", how="semi")
    )
    orders = (
        rx.join(stays.select("encounter_id", "admit_time"), on="encounter_id")
        .filter(pl.col("start_time").dt.date() == pl.col("admit_time").dt.date())
        .group_by("encounter_id")
        .agg(pl.col("code").n_unique().alias("n"), pl.col("code").first(), pl.col("start_time").min().alias("ordered"))
        .filter(pl.col("n") == 1)
    )
    cohort = stays.join(orders, on="encounter_id").filter(pl.col("age_years").is_between(18, 80))
    cohort = cohort.join(t["patient"].select("mrn", "sex", "death_time"), on="mrn").join(
        hospital.truth["smoking"], on="mrn"
    )
    for prefix in ("E11", "N18", "J44"):
        ids = (
            t["diagnosis"]
            .filter(pl.col("code").str.starts_with(prefix))
            .select("encounter_id", "start_time")
            .join(orders, on="encounter_id")
            .filter(pl.col("start_time") <= pl.col("ordered"))
        )
        cohort = cohort.with_columns(pl.col("encounter_id").is_in(ids["encounter_id"].implode()).alias(prefix))
    for code in ("8480-6", "14682-9"):
        first = (
            t["measurement"]
            .filter(pl.col("item_code") == code)
            .join(orders, on="encounter_id")
            .filter(pl.col("time") <= pl.col("ordered"))
        )
        cohort = cohort.join(
            first.group_by("encounter_id").agg(pl.col("value_number").last().alias(code)), on="encounter_id"
        )
    return (
        hospital,
        truth,
        cohort.join(
            truth.select("encounter_id", "propensity", "p_control", "p_treated", "y_control", "y_treated", "arm"),
            on="encounter_id",
        ),
    )


def arrays():
    _, _, c = study()
    treated = (c["code"] == "YP0001").to_numpy()
    # Outcome of everybody, known to the truth also for those lost to follow-up.
    event = np.where(treated, c["y_treated"].is_not_null().to_numpy(), c["y_control"].is_not_null().to_numpy()).astype(
        float
    )
    band = (c["age_years"] // 5 * 5 + 2).to_numpy()
    measured = [
        band,
        (c["sex"] == "male").to_numpy(),
        (c["condition"] == "severe").to_numpy(),
        (c["condition"] == "critical").to_numpy(),
        c["E11"].to_numpy(),
        c["N18"].to_numpy(),
        c["J44"].to_numpy(),
        c["8480-6"].to_numpy() / 20,
        c["14682-9"].to_numpy() / 40,
    ]
    smoking = (c["smoking"] == "current").to_numpy()
    return treated, event, np.column_stack(measured).astype(float), smoking.astype(float)


def weighted(treated, event, score):
    w = np.where(treated, 1 / score, 1 / (1 - score))
    return np.average(event[treated], weights=w[treated]) - np.average(event[~treated], weights=w[~treated])


def fitted(treated, x):
    return sm.Logit(treated.astype(float), sm.add_constant(x)).fit(disp=0).predict()


def test_the_eligible_of_the_record_are_those_of_the_truth():
    _, truth, cohort = study()
    assert set(cohort["mrn"]) == set(truth["mrn"])
    assert (cohort["arm"] == pl.Series(np.where(cohort["code"] == "YP0001", "treated", "control"))).all()


def test_true_effect_is_as_promised_and_varies_with_age():
    hospital, _, cohort = study()
    assert -0.095 < true_effect(hospital) < -0.065
    effect = cohort["p_treated"] - cohort["p_control"]
    young = effect.filter(cohort["age_years"] < 60).mean()
    old = effect.filter(cohort["age_years"] >= 70).mean()
    assert old < young - 0.03


def test_crude_misleads_and_the_true_propensity_recovers_the_truth():
    hospital, _, cohort = study()
    treated, event, _, _ = arrays()
    truth = true_effect(hospital)
    assert 0.18 < event.mean() < 0.28
    assert 0.35 < treated.mean() < 0.6
    crude = event[treated].mean() - event[~treated].mean()
    assert crude > -0.02
    oracle = weighted(treated, event, cohort["propensity"].to_numpy())
    assert abs(oracle - truth) < 0.025  # about 2.5 Monte-Carlo standard errors at 11,000 persons


def test_what_the_record_measures_suffices_only_with_smoking_from_the_notes():
    hospital, _, _ = study()
    treated, event, x, smoking = arrays()
    truth = true_effect(hospital)
    adjusted = weighted(treated, event, fitted(treated, np.column_stack([x, smoking])))
    without = weighted(treated, event, fitted(treated, x))
    assert abs(adjusted - truth) < 0.02
    assert without - adjusted > 0.012, "leaving smoking out must hurt"


def test_follow_up_closes_every_eligible_person():
    hospital, _, cohort = study()
    last = hospital.tables["follow_up"].sort("time").group_by("mrn", maintain_order=True).last()
    people = cohort.select(
        "mrn", "admit_time", "death_time", "disposition", "condition", "y_treated", "y_control", "arm"
    ).join(last, on="mrn", how="left")
    died = people.filter(pl.col("death_time").is_not_null())
    days = (died["death_time"] - died["admit_time"]).dt.total_minutes() / 1440
    said = pl.Series(
        [t if a == "treated" else c for a, t, c in zip(died["arm"], died["y_treated"], died["y_control"], strict=True)]
    )
    assert ((days - said).abs() < 0.002).all()
    alive = people.filter(pl.col("status") == "alive")
    assert ((alive["status_time"] - alive["admit_time"]).dt.total_days() >= 365).all()
    lost = people.filter(pl.col("status") == "lost")
    assert 0.05 < lost.height / people.height < 0.11
    severe = people["condition"].is_in(["severe", "critical"])
    assert (people.filter(severe)["status"] == "lost").mean() > (people.filter(~severe)["status"] == "lost").mean()
    assert people.filter(pl.col("status").is_null())["disposition"].eq("death").all()

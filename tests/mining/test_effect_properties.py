"""R19: properties of the kernel, and agreement with slow obvious implementations."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medarchive_analytics.core.errors import NotEstimableError
from medarchive_analytics.mining.effects.balance import balance
from medarchive_analytics.mining.effects.cox import cox
from medarchive_analytics.mining.effects.outcome import (
    censoring_weights,
    e_value,
    hajek_difference,
    minimum_detectable_ratio,
)
from medarchive_analytics.mining.effects.propensity import fit_propensity, logistic
from medarchive_analytics.mining.effects.survival import kaplan_meier, logrank, rmst
from medarchive_analytics.mining.effects.weights import (
    ate_weights,
    att_weights,
    effective_size,
    keep_by_score,
    overlap_weights,
)

_ORACLES = Path(__file__).resolve().parents[1] / "oracles" / "slow_survival.py"
_spec = importlib.util.spec_from_file_location("slow_survival", _ORACLES)
slow = importlib.util.module_from_spec(_spec)
sys.modules["slow_survival"] = slow
_spec.loader.exec_module(slow)

rows = st.lists(st.tuples(st.integers(1, 12), st.booleans(), st.integers(1, 3), st.booleans()), min_size=6, max_size=40)


def split(data):
    t, d, w, x = (np.array(column, dtype=float) for column in zip(*data))
    return t, d, w, x


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rows, st.randoms())
def test_r19_survival_is_monotone_bounded_and_blind_to_row_order(data, random):
    t, d, w, _ = split(data)
    curve = kaplan_meier(t, d, w)
    assert ((curve.survival >= 0) & (curve.survival <= 1)).all() and (np.diff(curve.survival) <= 1e-15).all()
    order = list(range(t.size))
    random.shuffle(order)
    assert np.allclose(kaplan_meier(t[order], d[order], w[order]).survival, curve.survival, atol=1e-12)
    assert np.allclose(curve.survival, [slow.product_limit(t, d, w, u) for u in curve.time], atol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rows)
def test_r19_a_weight_of_two_is_two_persons(data):
    t, d, w, x = split(data)
    many = [np.repeat(v, w.astype(int)) for v in (t, d, x)]
    assert np.allclose(kaplan_meier(t, d, w).survival, kaplan_meier(*many[:2]).survival, atol=1e-12)
    if d.sum() and 0 < x.sum() < x.size:
        if x.min() != x.max():
            assert np.isclose(
                hajek_difference(d, x, w).value,
                hajek_difference(many[1], many[2], np.ones(many[0].size)).value,
                atol=1e-12,
            )
        try:
            one = cox(t, d, x, weight=w, ties="breslow").coef
            two = cox(many[0], many[1], many[2], ties="breslow").coef
        except NotEstimableError:
            return
        if max(abs(one[0]), abs(two[0])) < 8:  # beyond that the likelihood is flat: no finite maximum
            assert np.allclose(one, two, atol=1e-6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(rows)
def test_r19_unweighted_variance_is_greenwoods(data):
    t, d, _, _ = split(data)
    curve = kaplan_meier(t, d)
    expected = [slow.greenwood(t, d, u) for u in curve.time]
    alive = curve.survival > 1e-9
    assert np.allclose(curve.std_log[alive] ** 2, np.array(expected)[alive], atol=1e-12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(rows)
def test_r19_cox_likelihood_and_score_residuals_agree_with_the_definition(data):
    t, d, w, x = split(data)
    if d.sum() == 0 or x.min() == x.max():
        return
    for ties in ("efron", "breslow"):
        try:
            fit = cox(t, d, x, weight=w, ties=ties)
        except NotEstimableError:
            continue
        if abs(fit.coef[0]) > 8:
            continue
        at = slow.efron_likelihood(t, d, w, x, fit.coef[0], ties)
        assert np.isclose(fit.log_likelihood, at, atol=1e-8)
        assert at >= max(slow.efron_likelihood(t, d, w, x, fit.coef[0] + e, ties) for e in (-1e-3, 1e-3)) - 1e-12
        # The robust error is the infinitesimal jackknife: move each case weight a little and watch the coefficient.
        if abs(fit.coef[0]) < 5 and ties == "breslow":
            h = 1e-4
            moved = []
            for i in range(t.size):
                heavier = w.copy()
                heavier[i] += h
                moved.append((cox(t, d, x, weight=heavier, ties=ties).coef[0] - fit.coef[0]) / h * w[i])
            assert np.isclose(np.sum(np.square(moved)), fit.robust[0, 0], rtol=5e-3, atol=1e-6)


def test_r19_robust_error_sums_by_cluster():
    rng = np.random.default_rng(0)
    t, d, x = rng.integers(1, 30, 80), (rng.random(80) < 0.6).astype(float), rng.normal(size=80)
    alone = cox(t, d, x, cluster=np.arange(80))
    assert np.allclose(alone.robust, cox(t, d, x).robust)
    twice = cox(np.tile(t, 2), np.tile(d, 2), np.tile(x, 2), cluster=np.tile(np.arange(80), 2), ties="breslow")
    once = cox(t, d, x, ties="breslow")
    assert np.allclose(twice.robust, once.robust, rtol=1e-6)  # a copied person adds no information


def test_r19_errors_name_the_reason():
    with pytest.raises(NotEstimableError, match="no event"):
        cox([1, 2, 3], [0, 0, 0], [0, 1, 0])
    with pytest.raises(NotEstimableError, match="one value only"):
        cox([1, 2, 3], [1, 0, 1], [1, 1, 1])
    with pytest.raises(NotEstimableError, match="no finite maximum"):
        cox([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0])
    with pytest.raises(NotEstimableError, match="repeat each other"):
        x = np.random.default_rng(1).normal(size=30)
        cox(np.arange(1, 31), np.ones(30), np.column_stack([x, x]))
    with pytest.raises(NotEstimableError, match="followed to 10"):
        rmst([1, 2, 3], [1, 0, 0], 10)
    with pytest.raises(NotEstimableError, match="arm"):
        fit_propensity(np.ones((3, 1)), [1, 1, 1])
    with pytest.raises(ValueError, match="0 or 1"):
        kaplan_meier([1, 2], [2, 0])
    with pytest.raises(NotEstimableError, match="two groups"):
        logrank([1, 2], [1, 0], [0, 0])


def test_r19_separation_is_noticed():
    x = np.linspace(-1, 1, 40)[:, None]
    model = fit_propensity(x, (x[:, 0] > 0).astype(float))
    assert model.fit.is_separated and model.auc == 1.0
    mixed = fit_propensity(x, (np.arange(40) % 2).astype(float))
    assert not mixed.fit.is_separated and abs(mixed.preference.mean() - 0.5) < 0.05


def test_r19_logistic_is_converged_and_blind_to_row_order():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 6)) * [1, 10, 100, 1, 1, 1] + [0, 50, 1000, 0, 0, 0]
    y = (rng.random(500) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
    fit = logistic(x, y)
    z = np.column_stack([np.ones(500), (x - x.mean(0)) / x.std(0)])
    assert np.abs(z.T @ (y - fit.fitted)).max() < 1e-8
    order = rng.permutation(500)
    assert np.allclose(logistic(x[order], y[order]).coef, fit.coef, rtol=1e-9, atol=1e-10)
    assert np.allclose(fit.predict(x), fit.fitted, atol=1e-12)


def test_r19_weights_do_what_they_say():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4000, 3))
    a = (rng.random(4000) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
    model = fit_propensity(x, a)
    w = ate_weights(model.score, a)
    assert abs(w.mean() - 1) < 0.02 and effective_size(w) < 4000
    table = balance(x, a, overlap_weights(model.score, a))
    assert table["smd_after"].abs().max() < 1e-8  # overlap weights balance the model's covariates exactly
    assert balance(x, a, w)["smd_after"].abs().max() < 0.06 < balance(x, a, w)["smd_before"].abs().max()
    att = att_weights(model.score, a)
    treated_mean, like = x[a == 1].mean(0), np.average(x[a == 0], axis=0, weights=att[a == 0])
    assert np.abs(treated_mean - like).max() < 0.1
    kept = keep_by_score(model.score, 0.1, 0.9)
    assert model.score[kept].min() >= 0.1 and not kept.all()
    assert effective_size(np.ones(7)) == pytest.approx(7)


def test_r19_censoring_weights_restore_the_lost():
    rng = np.random.default_rng(5)
    n = 20000
    severe = (rng.random(n) < 0.5).astype(float)
    a = (rng.random(n) < 0.5).astype(float)
    day = np.where(rng.random(n) < 0.1 + 0.4 * severe, rng.uniform(1, 365, n), 999)
    lost = np.where(rng.random(n) < 0.1 + 0.5 * severe, rng.uniform(1, 60, n), 500)
    time, event = np.minimum(day, lost), (day <= lost).astype(float)
    c = censoring_weights(time, event, a, severe[:, None], 365)
    naive = c.outcome[c.weight > 0].mean()
    weighted = np.average(c.outcome, weights=c.weight)
    assert abs(weighted - 0.3) < 0.012 < abs(naive - 0.3)
    assert abs(c.weight.mean() - 1) < 0.02 and c.share_bounded == 0
    nobody_lost = censoring_weights([400.0, 10.0, 400.0], [0, 1, 0], [1, 0, 1], np.zeros((3, 1)), 365)
    assert nobody_lost.weight.tolist() == [1, 1, 1] and nobody_lost.share_lost == 0


def test_r19_small_numbers_known_by_heart():
    assert e_value(3.9) == pytest.approx(7.263, abs=5e-4)  # VanderWeele and Ding 2017, the worked example: 7.26
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9)) and e_value(1.0) == 1.0
    assert minimum_detectable_ratio(0, 0.5) == float("inf")
    assert minimum_detectable_ratio(400, 0.5) < minimum_detectable_ratio(100, 0.5)


def test_r19_simulation_recovers_the_truth():
    """A short run of the coverage benchmark: the crude estimate is biased, the adjusted ones are not."""
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "bench_effect_coverage.py"
    spec = importlib.util.spec_from_file_location("bench_effect_coverage", path)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    found = bench.run(200, 1000, seed=21)
    assert found["crude"]["coverage"] < 0.7
    for name in ("iptw_ipcw", "aipw_ipcw"):
        assert abs(found[name]["bias"]) < 4 * found[name]["bias_mc"]
        assert 0.90 <= found[name]["coverage"] <= 0.99
        assert found[name]["mean_se"] == pytest.approx(found[name]["empirical_se"], rel=0.15)

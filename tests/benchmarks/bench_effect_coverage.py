"""Does the adjusted interval cover the truth as often as it says? A simulation with known effect (R19).

Run: ``python tests/benchmarks/bench_effect_coverage.py [replicates] [persons]``. Prints bias and coverage of the 95 % interval with
Monte-Carlo errors, for the crude and the two adjusted estimators, under confounding and severity-dependent loss.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from scipy.special import expit

from medarchive_analytics.mining.effects.outcome import aipw, censoring_weights, hajek_difference, outcome_predictions
from medarchive_analytics.mining.effects.propensity import fit_propensity
from medarchive_analytics.mining.effects.survival import Estimate, kaplan_meier
from medarchive_analytics.mining.effects.weights import ate_weights

HORIZON = 365.0


def draw(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """One made-up cohort: four confounders, a protective treatment, loss that depends on severity."""
    age, severe = rng.normal(0, 1, n), (rng.random(n) < 0.35).astype(float)
    smoker, lab = (rng.random(n) < 0.3).astype(float), rng.normal(0, 1, n)
    x = np.column_stack([age, severe, smoker, lab])
    treated = (rng.random(n) < expit(0.3 - 0.5 * age - 0.8 * severe - 0.5 * smoker + 0.2 * lab)).astype(float)
    index = -1.6 + 0.5 * age + 0.8 * severe + 0.6 * smoker + 0.2 * lab
    risk = {a: expit(index - 0.5 * a) for a in (0, 1)}
    luck = rng.random(n)
    own = np.where(treated == 1, risk[1], risk[0])
    day = np.where(luck < own, np.maximum(np.ceil(HORIZON * luck / own), 0.5), 2000.0)
    lost = np.where(rng.random(n) < expit(-1.8 + 0.9 * severe), np.ceil(rng.uniform(5, 364, n)), 400.0)
    return {
        "x": x, "treated": treated, "time": np.minimum(day, lost), "event": (day <= lost).astype(float),
        "truth": risk[1] - risk[0],
    }  # fmt: skip


def estimates(d: dict[str, np.ndarray]) -> dict[str, Estimate]:
    """Crude product limit, IPTW x IPCW, AIPW x IPCW."""
    a, x = d["treated"], d["x"]
    parts = []
    for side in (1, 0):
        curve = kaplan_meier(d["time"][a == side], d["event"][a == side])
        place = int(np.searchsorted(curve.time, HORIZON, side="right")) - 1
        parts.append((1 - curve.survival[place], curve.std_error[place]))
    crude = Estimate(parts[0][0] - parts[1][0], math.hypot(parts[0][1], parts[1][1]), a.size, "crude")
    model = fit_propensity(x, a)
    c = censoring_weights(d["time"], d["event"], a, x, HORIZON)
    weighted = hajek_difference(c.outcome, a, ate_weights(model.score, a) * c.weight, model.score_rows)
    doubly = aipw(c.outcome, a, model.score, outcome_predictions(x, c.outcome, a, c.weight), c.weight)
    return {"crude": crude, "iptw_ipcw": weighted, "aipw_ipcw": doubly}


def run(replicates: int = 300, n: int = 1500, seed: int = 11) -> dict[str, dict[str, float]]:
    """Repeat the simulation.

    Parameters
    ----------
    replicates, n, seed : int
        Number of cohorts, persons in each, seed.

    Returns
    -------
    dict
        Per estimator: bias, its Monte-Carlo error, coverage, its Monte-Carlo error, mean and empirical standard error.
    """
    rng = np.random.default_rng(seed)
    truth = float(draw(np.random.default_rng(99), 2_000_000)["truth"].mean())
    seen: dict[str, list[tuple[float, float, bool]]] = {}
    for _ in range(replicates):
        for name, e in estimates(draw(rng, n)).items():
            seen.setdefault(name, []).append((e.value - truth, e.std_error, e.lower <= truth <= e.upper))
    result = {}
    for name, rows in seen.items():
        error, se, hit = (np.array(column, dtype=float) for column in zip(*rows))
        cover = hit.mean()
        result[name] = {
            "bias": error.mean(), "bias_mc": error.std(ddof=1) / math.sqrt(replicates), "coverage": cover,
            "coverage_mc": math.sqrt(cover * (1 - cover) / replicates), "mean_se": se.mean(),
            "empirical_se": error.std(ddof=1),
        }  # fmt: skip
    return result


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 1500
    print(f"{count} replicates of {size} persons, true risk difference over the population")
    for name, r in run(count, size).items():
        print(
            f"{name:10s} bias {r['bias']:+.4f} (MC {r['bias_mc']:.4f})  coverage {r['coverage']:.3f} (MC {r['coverage_mc']:.3f})"
            f"  mean SE {r['mean_se']:.4f}  empirical SE {r['empirical_se']:.4f}"
        )

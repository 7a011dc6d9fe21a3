"""Survival formulas written as slowly and plainly as their definitions."""

from __future__ import annotations

import math

import numpy as np


def product_limit(t, d, w, at):
    """Survival just after a time, by looking at every time in turn."""
    survival = 1.0
    for u in sorted(set(t[d == 1])):
        if u <= at:
            risk = sum(w[i] for i in range(len(t)) if t[i] >= u)
            events = sum(w[i] for i in range(len(t)) if t[i] == u and d[i] == 1)
            survival *= 1 - events / risk
    return survival


def greenwood(t, d, at):
    """Variance of log survival, sum of d / (n (n - d))."""
    total = 0.0
    for u in sorted(set(t[d == 1])):
        if u <= at:
            n, k = sum(t >= u), sum((t == u) & (d == 1))
            total += k / (n * (n - k)) if n > k else 0.0
    return total


def efron_likelihood(t, d, w, x, beta, ties="efron"):
    """Partial log-likelihood of one covariate, event by event; tied events enter with their mean weight."""
    total = 0.0
    for u in sorted(set(t[d == 1])):
        tied = [i for i in range(len(t)) if t[i] == u and d[i] == 1]
        risk = sum(w[i] * math.exp(beta * x[i]) for i in range(len(t)) if t[i] >= u)
        own = sum(w[i] * math.exp(beta * x[i]) for i in tied)
        mean = float(np.mean([w[i] for i in tied]))
        total += sum(w[i] * beta * x[i] for i in tied)
        for k in range(len(tied)):
            total -= mean * math.log(risk - (k / len(tied) if ties == "efron" else 0.0) * own)
    return total

"""De-identify many texts, in one process or a pool."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from .keys import SurrogateKey
from .known import KnownPerson, SiteKnowledge
from .policy import DeidPolicy
from .results import DeidentifiedText
from .text import TextDeidentifier

_CHUNK = 200


def _work(job: tuple) -> list[DeidentifiedText]:
    texts, indices, persons, policy, secret, site = job
    deidentifier = TextDeidentifier(policy, SurrogateKey(secret), site)
    return [
        deidentifier.deidentify(text, None if i is None else persons[i], scope="" if i is not None else text)
        for text, i in zip(texts, indices)
    ]


def _job(texts, persons, policy, key, site) -> tuple:
    """Send each person once per chunk, not once per text."""
    order: dict[KnownPerson, int] = {}
    indices = [None if p is None else order.setdefault(p, len(order)) for p in persons]
    return list(texts), indices, list(order), policy, key._secret, site


def deidentify_batch(
    texts: Sequence[str],
    persons: Sequence[KnownPerson | None] | None,
    policy: DeidPolicy,
    key: SurrogateKey,
    site: SiteKnowledge | None = None,
    workers: int = 1,
) -> list[DeidentifiedText]:
    """De-identify texts, in order.

    Parameters
    ----------
    texts : sequence of str, shape (n,)
        As written.
    persons : sequence of KnownPerson or None, shape (n,), or None
        Whose text each is.
    policy, key, site : DeidPolicy, SurrogateKey, SiteKnowledge
        As for `TextDeidentifier`.
    workers : int
        Processes; 1 stays in this one.

    Returns
    -------
    list of DeidentifiedText
        One per text; equal for any number of workers.
    """
    people = list(persons) if persons is not None else [None] * len(texts)
    if len(people) != len(texts):
        raise ValueError("one person (or None) per text is needed")
    if workers <= 1 or len(texts) <= _CHUNK:
        return _work(_job(texts, people, policy, key, site))
    jobs = [
        _job(texts[i : i + _CHUNK], people[i : i + _CHUNK], policy, key, site) for i in range(0, len(texts), _CHUNK)
    ]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return [result for chunk in pool.map(_work, jobs) for result in chunk]

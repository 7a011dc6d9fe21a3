"""Process pools whose workers end when the process that started them is killed."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def _end_with_parent(parent: int) -> None:
    # A worker waits on a queue that it holds open itself, so it would outlive a parent that was killed.
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _start(parent: int, initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    _end_with_parent(parent)
    if initializer is not None:
        initializer(*arguments)


def process_pool(
    workers: int, initializer: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """Make a pool of fresh processes (spawned, since forking a process with threads is unsafe).

    Parameters
    ----------
    workers : int
        Number of processes, at least 1.
    initializer : callable, optional
        Run once in each worker.
    arguments : tuple
        Its arguments; must be picklable.

    Returns
    -------
    concurrent.futures.ProcessPoolExecutor
        Use it in a ``with`` statement.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, _start, (os.getpid(), initializer, arguments))


def default_workers() -> int:
    """Return how many workers suit this machine: its usable cores, at most 8.

    Returns
    -------
    int
        At least 1.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(8, usable))

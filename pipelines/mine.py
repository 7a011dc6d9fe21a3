"""Arrow 5: the curated store answers a question, with an adjusted, diagnosed estimate and a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medarchive_analytics import TargetTrial, open_store


def trial(protocol: Path) -> Any:
    """Read the trial protocol.

    Parameters
    ----------
    protocol : pathlib.Path
        TOML file.

    Returns
    -------
    TargetTrial
        The protocol.
    """
    return TargetTrial.from_toml(protocol)


def study_result(trial: Any, loaded_release: str, store_folder: Path) -> Any:
    """Emulate the trial on the store.

    Parameters
    ----------
    trial : TargetTrial
        The protocol.
    loaded_release : str
        The release that was loaded before.
    store_folder : pathlib.Path
        The store.

    Returns
    -------
    StudyResult
        Estimate, diagnostics and verdict.
    """
    with open_store(store_folder) as store:
        return trial.emulate(store)

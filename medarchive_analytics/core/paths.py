"""Where the small tracked data files lie, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def data_dir() -> Path:
    """Return the folder that holds ``vocab/`` and ``models/``.

    Returns
    -------
    pathlib.Path
        ``data/`` of the checkout, or ``_data/`` inside the installed package.
    """
    installed = _PACKAGE / "_data"
    return installed if installed.is_dir() else _PACKAGE.parent / "data"


def trials_dir() -> Path:
    """Return the folder of the shipped target-trial protocols.

    Returns
    -------
    pathlib.Path
        ``trials/`` of the checkout, or its copy inside the installed package.
    """
    installed = _PACKAGE / "_data" / "trials"
    return installed if installed.is_dir() else _PACKAGE.parent / "trials"

"""MedArchive Analytics: research over hospital medical-record archives, from the vault to an adjusted finding.

The two names a researcher starts from are :func:`open_store` and :class:`TargetTrial`; both are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .mining.effects.trial import TargetTrial
    from .store.curated import open_store

__version__ = "0.1.0"
__all__ = ["TargetTrial", "open_store", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "open_store":
        from .store.curated import open_store

        return open_store
    if name == "TargetTrial":
        from .mining.effects.trial import TargetTrial

        return TargetTrial
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

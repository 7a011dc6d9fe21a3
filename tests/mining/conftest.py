"""The compact ward and its OMOP frames, shared by the store tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

_PATH = Path(__file__).resolve().parents[1] / "oracles" / "small_hospital.py"


def _load():
    name = "small_hospital"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _PATH)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def hospital():
    return _load()


@pytest.fixture(scope="session")
def ward(hospital):
    return hospital.small_ward(hospital.Plan(n=200))


@pytest.fixture(scope="session")
def cdm(ward):
    from medarchive_analytics.store import build_cdm

    return build_cdm(ward.tables, ward.facts, load_id="load-1")

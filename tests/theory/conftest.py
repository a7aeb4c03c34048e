"""What tests of theory share: another library's answers to compare with."""

from importlib import import_module
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def stats() -> ModuleType:
    """Scipy's statistics: half a second to import, which most test processes need not wait."""
    return import_module("scipy.stats")

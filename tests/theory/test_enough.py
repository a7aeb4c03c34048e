"""From how many values on a percentile is known: where an interval by order statistics begins to exist."""

import subprocess
import sys

import pytest

from iolab.theory.enough import least_count
from iolab.theory.order_statistics import ranks


@pytest.mark.parametrize(("quantile", "count"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_so_many_values_are_needed(quantile: float, count: int) -> None:
    """q^n <= 2.5%: the largest of n values is below the quantile with no more than that probability."""
    assert least_count(quantile) == count
    assert least_count(1 - quantile) == count
    assert quantile**count <= 0.025 < quantile ** (count - 1)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("quantile", [0.01, 0.25, 0.5, 0.9, 0.95, 0.99])
def test_it_is_where_an_interval_begins_to_exist(quantile: float, confidence: float) -> None:
    count = least_count(quantile, confidence)
    assert ranks(count, quantile, confidence) is not None
    assert ranks(count - 1, quantile, confidence) is None


def test_it_needs_no_numpy() -> None:
    """The process of the lab's page uses it, and stays small."""
    said = "import sys, iolab.theory.enough; sys.exit('numpy' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said], check=False).returncode == 0

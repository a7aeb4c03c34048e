"""A comparison for a program: its cells with all figures, unrounded."""

import math
from collections.abc import Sequence
from typing import Any

from iolab.report.compared import Compared, Comparison


def as_json(found: Comparison, key: Sequence[str]) -> list[dict[str, Any]]:
    """Return the cells for a program: their figures, unrounded; null is not known."""
    return [
        {
            "cell": row.name,
            "key": {name: [cells[0].values.get(name) for _, cells in row.sides] for name in key},
            "second": row.second,
            "verdict": row.verdict,
            "not_valid": list(row.not_valid),
            "figures": [_figure_json(each) for each in row.figures],
        }
        for row in found.rows
    ]


def _figure_json(each: Compared) -> dict[str, Any]:
    def finite(value: float) -> float | str:
        return value if math.isfinite(value) else "Infinity"

    return {
        "figure": each.metric,
        "first": finite(each.values[0]),
        "second": finite(each.values[1]),
        "runs": [[finite(value) for value in side] for side in (each.firsts, each.seconds)],
        "ratio": each.ratio,
        "interval": each.interval,
        "p": each.p,
        "smallest_ratio": each.smallest,
        "higher_is_better": each.higher_is_better,
        "verdict": each.verdict,
    }

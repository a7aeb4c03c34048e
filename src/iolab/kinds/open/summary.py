"""The objects of summary.json of an open loop."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from iolab.kinds.open.analysis import OpenAnalysis, OpenCell

PERCENTILES = ("p50_s", "p95_s", "p99_s")
PLAN = {"model", "service", "variant", "process", "planned_utilisation", "utilisation_of", "utilisation"}


def objects(analysis: OpenAnalysis) -> list[dict[str, Any]]:
    """Return an object for each plan, times in ms."""
    cells = []
    for cell in analysis.cells:
        record, measured = cell.record, cell.measured
        times = _milliseconds(asdict(measured)) if measured else {}
        cells.append(
            {
                **record.model_dump(include=PLAN | {"ok", "errors"}),
                "rate_rps": record.rate_rps,
                "count": measured.count if measured else 0,
                **{key: value for key, value in times.items() if key != "count"},
                "same_trace": _milliseconds(asdict(cell.same)) if cell.same else None,
                "m_d_c": _milliseconds(asdict(cell.constant)) if cell.constant else None,
                "m_m_c": _milliseconds(asdict(cell.exponential)) if cell.exponential else None,
                "simulated_plans": _range(cell),
                "needed_s": None if cell.needed_s is None else round(cell.needed_s, 1),
                "calibration": _milliseconds(record.calibration.model_dump()),
                "server": record.server.model_dump(),
                "client": record.client.model_dump(),
                "valid": record.valid and not any(finding.severity == "error" for finding in cell.findings),
                "findings": [finding.model_dump() for finding in cell.findings],
            }
        )
    return cells


def _range(cell: OpenCell) -> dict[str, Any] | None:
    """Return between which values 95% of the simulated plans lie, and whether the measured mean does, too."""
    if cell.chance is None:
        return None
    known = {**asdict(cell.chance), **{name: cell.range_of(name) for name in PERCENTILES}}
    return {**_milliseconds(known), "measured_within": cell.likely}


def _milliseconds(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return times in seconds as times in ms, under names that say so."""

    def scaled(value: Any) -> Any:
        if isinstance(value, tuple):
            return [scaled(each) for each in value]
        return None if value is None else round(value * 1000, 3)

    return {
        f"{key.removesuffix('_s')}_ms" if key.endswith("_s") else key: scaled(value) if key.endswith("_s") else value
        for key, value in values.items()
    }

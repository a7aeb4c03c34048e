"""A short exhibition against real servers, as local processes."""

import csv
import gzip
import json
import re
from pathlib import Path

import pytest

from tests.conftest import Run


@pytest.mark.load
@pytest.mark.measures
def test_one_board_at_a_time_takes_longest_and_all_at_once_shortest(inside: Run, tmp_path: Path) -> None:
    """At 2 ms a second, so that what the servers themselves take is small beside it."""
    size = ("--boards", "6", "--moves", "4", "--threads", "2", "--scale-ms", "2")
    done = inside("chess", "--runtime", "local", "--models", "A,B,C", *size)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").glob("*-chess")
    found = json.loads((folder / "summary.json").read_text())["cells"]
    assert {(each["boards"], each["moves"], each["scale_ms"]) for each in found} == {(6, 4, 2)}
    blocking, pool, loop = found
    assert [each["boards_at_once"] for each in found] == [1, 2, 6]
    assert [each["least_s"] for each in found] == [6 * 4 * 60, 6 * 4 * 30, 4 * 60]
    assert blocking["took_s"] > 1.4 * pool["took_s"] > 1.4 * loop["took_s"]
    for each in found:
        assert each["took_s"] >= 0.98 * each["least_s"]
    assert blocking["thought_in_step"] == 1  # no two opponents think at the same time
    assert loop["thought_in_step"] > 1
    trial = json.loads((folder / "trials.jsonl").read_text().splitlines()[-1])
    with gzip.open(folder / trial["rows"]["pairs"], "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(int(row["board"]), int(row["move"])) for row in rows} == {(b, m) for b in range(6) for m in range(4)}
    drawn = re.findall(r'aria-label="[^"]*whole evening', (folder / "report.html").read_text())
    assert len(drawn) == 3 * 2  # a wide form and a narrow one
    assert (tmp_path / "results" / "latest").resolve() == folder  # `make report` makes its report
    again = {name: (folder / name).read_bytes() for name in ("summary.json", "report.md", "report.html")}
    assert inside("report").returncode == 0
    assert {name: (folder / name).read_bytes() for name in again} == again


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--models", "Q"), "MODELS=Q: no such model"),
        (("--scale-ms", "0"), "SCALE_MS=0"),
        (("--threads", "0"), "THREADS=0"),
        (("--boards", "0"), "BOARDS=0"),
    ],
)
def test_a_mistake_is_one_line(inside: Run, arguments: tuple[str, str], said: str) -> None:
    done = inside("chess", "--runtime", "local", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1

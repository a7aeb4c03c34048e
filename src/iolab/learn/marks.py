"""The marks that a teacher gives to texts on review.html, which exports them as marks.csv."""

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

from iolab.errors import UsageError
from iolab.results import files

MARKS = "marks.csv"
MOST_MARK = 3
Marks = Mapping[tuple[str, str], int]  # by student and step
FIELDS = ["id", "step", "mark"]


def unused(marks: Marks, texts: Collection[tuple[str, str]]) -> list[str]:
    """Return the marks of students or steps of which there is no text, as "id,step"."""
    return [",".join(each) for each in marks if each not in texts]


def read(folder: Path) -> Marks:
    """Return the marks of a folder's marks.csv, {} if it has none; raises UsageError, which names the line."""
    path = folder / MARKS
    if not path.exists():
        return {}
    found: dict[tuple[str, str], int] = {}
    for number, line in enumerate(files.read(path).decode("utf-8-sig", "replace").splitlines(), 1):
        try:
            row = next(csv.reader([line]), [])
        except csv.Error as error:
            raise UsageError(f"{path}, line {number}: {error}") from None
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells == FIELDS:
            continue
        if len(cells) != len(FIELDS) or cells[2] not in map(str, range(MOST_MARK + 1)):
            raise UsageError(f"{path}, line {number}: must be id,step,mark with a mark of 0 to {MOST_MARK}")
        found[cells[0].removeprefix("'"), cells[1]] = int(cells[2])
    return found

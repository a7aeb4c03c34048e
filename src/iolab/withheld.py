"""Decides whether the reports of a run hide theory and answers: a student of the course predicts first."""

from pathlib import Path

from iolab.results.folder import RunFolder


def withheld(run: RunFolder, root: Path | None, *, answers: bool = False) -> bool:  # noqa: ARG001 (where the student's predictions are)
    """Return whether to hide theory and answers: in a run of the course, unless `answers` are asked for (ANSWERS=1).

    `root` is the checkout, None where there is none. Raises UsageError if run.json cannot be read.
    """
    return not answers and run.read_run().experiment.get("course") is True

"""Decides whether the reports of a run hide theory and answers: a student of the course predicts first."""

from pathlib import Path

from iolab.results.folder import RunFolder


def withheld(run: RunFolder, root: Path | None, *, answers: bool = False) -> bool:
    """Return whether to hide theory and answers: in a run of the course, until the student has predicted its result.

    `root` is the checkout, in which the student's predictions are; None where there is none. With `answers` (ANSWERS=1)
    nothing is hidden. Raises UsageError if run.json cannot be read.
    """
    info = run.read_run()
    if answers or info.experiment.get("course") is not True:
        return False
    if root is None:
        return True
    from iolab.learn.course import predicted  # noqa: PLC0415 (a tenth of a command's start; only the course needs it)

    return not predicted(root, info)

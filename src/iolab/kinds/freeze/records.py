"""The record of a freeze."""

from typing import Literal

from iolab.results.records import TrialRecord

Name = Literal["closed loop", "planned"]
NAMES: tuple[Name, ...] = ("closed loop", "planned")


class FreezeRecord(TrialRecord):
    """One line of trials.jsonl: a load during which the server was frozen; its rows are of kind "requests"."""

    name: Name

"""The record of work that blocks."""

from iolab.kinds.breaking.culprit import Culprit
from iolab.kinds.breaking.plan import Strategy
from iolab.results.records import TrialRecord


class BreakRecord(TrialRecord):
    """One line of trials.jsonl: a strategy under load, with rows of kinds "requests" and "bystander".

    A trial that `seeks` has no rows: its server's log is read for the culprit.
    """

    strategy: Strategy
    seeks: bool = False
    culprit: Culprit | None = None

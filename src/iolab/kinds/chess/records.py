"""The record of an exhibition."""

from iolab.results.records import TrialRecord


class ChessRecord(TrialRecord):
    """One line of trials.jsonl: the exhibition on one server; its rows are of kind "pairs"."""

    model: str
    service: str

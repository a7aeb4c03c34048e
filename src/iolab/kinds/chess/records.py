"""What is on disk of an exhibition."""

from iolab.results.records import TrialRecord


class ChessRecord(TrialRecord):
    """One line of trials.jsonl: the exhibition against one server; its rows are of kind "pairs"."""

    model: str
    service: str

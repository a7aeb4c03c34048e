"""The questions of experiments, with the values of their settings."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

ELSEWHERE = {"users": "concurrency", "boards": "concurrency", "freeze_s": "for_s"}  # what a question calls otherwise


def filled(question: str, experiment: Mapping[str, Any]) -> str:
    """Return a question in which {names} are values of the experiment; a name without a value stays as it is."""
    values = dict(_values(experiment))

    def value(found: re.Match[str]) -> str:
        name = found[1] if found[1] in values else ELSEWHERE.get(found[1], "")
        return values.get(name, found[0])

    return re.sub(r"\{(\w+)\}", value, question)


def _values(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _values(value)
        else:
            yield name, _text(value)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        texts = [_text(each) for each in value[:20]]
        return " and ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))
    return f"{value:g}" if isinstance(value, float) else str(value)[:100]

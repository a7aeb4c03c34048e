"""Tables in Markdown."""

from collections.abc import Sequence


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table: its first column is text, the others are numbers."""
    marks = [":--", *["--:"] * (len(headings) - 1)]
    return [_line(headings), _line(marks), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def flat(environment: dict[str, object]) -> list[tuple[str, str]]:
    """Return the environment as names and texts."""
    return [(name.removesuffix("_bytes").replace("_", " "), _text(name, value)) for name, value in environment.items()]


def _text(name: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {version}" for key, version in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{int(str(value)) / 2**30:.1f} GiB" if name.endswith("_bytes") else str(value)

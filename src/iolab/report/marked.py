"""Text that tells what theory predicts, or the answer to a question of the course."""

from typing import Self


class Answer(str):
    """A text that tells what a student predicts first; `instead` takes its place where answers are hidden.

    Renderers show it as any other text. What is made of it by `+` or an f-string is not marked.
    """

    __slots__ = ("instead",)
    instead: str

    def __new__(cls, text: str, instead: str = "") -> Self:
        """Mark a text; one that is empty, or the same without the answer, is marked too."""
        marked = super().__new__(cls, text)
        marked.instead = instead
        return marked


def hidden(text: str) -> str:
    """Return a text without what it tells; "" where nothing of it is left."""
    return text.instead if isinstance(text, Answer) else text

"""Renders a document as one HTML file, without other files or network access."""

import base64
import hashlib
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from iolab.report.document import Document
from iolab.report.glossary import Glossary, anchor


def render(document: Document) -> str:
    """Return report.html."""
    glossary = Glossary()
    return template("report.html.j2").render(
        document=document,
        is_a=lambda block, name: type(block).__name__ == name,
        drawn=drawn,
        forms=lambda figure: {form: drawn(partial(figure.draw, form == "narrow")) for form in ("wide", "narrow")},
        glossary=glossary,
        marked=glossary.mark,
        anchor=anchor,
    )


def template(name: str) -> Template:
    """Return a template of report/templates; a missing variable is an error, and text is escaped."""
    return _templates().get_template(name)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("iolab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Script(NamedTuple):
    """A script of a page, and the hash by which the page's content security policy allows it alone."""

    text: Markup
    hash: str


def script(name: str) -> Script:
    """Return a script of report/templates."""
    text = template(name).render()
    return Script(
        Markup(text),  # noqa: S704 (this package's own)
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode(),
    )


def drawn(svg: str | Callable[[], str]) -> Markup:
    """Return a drawing, or make it, without escaping: this package made it; all other text on the page is escaped."""
    return Markup(svg() if callable(svg) else svg)  # noqa: S704

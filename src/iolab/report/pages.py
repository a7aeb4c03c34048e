"""Renders a document as one HTML file, without other files or network access."""

import base64
import hashlib
from typing import Any, NamedTuple

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
        draw=_drawn,
        forms=lambda figure: {form: _drawn(figure.draw(form == "narrow")) for form in ("wide", "narrow")},
        glossary=glossary,
        marked=glossary.mark,
        anchor=anchor,
    )


def template(name: str) -> Template:
    """Return a template of report/templates; a missing variable is an error, and text is escaped."""
    templates = Environment(
        loader=PackageLoader("iolab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template(name)


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


def _drawn(svg: Any) -> Markup:
    """Return a drawing without escaping: this package made it; all other text on the page is escaped."""
    return Markup(svg() if callable(svg) else svg)  # noqa: S704

"""Renders a text in Markdown, as docs/ has them, as a page or as a part of one."""

import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from iolab.report.pages import template

Rewrite = Callable[[str], str | None]  # an address as the text has it -> as the page needs it; None: there is none


def page(text: str, link: Rewrite, picture: Rewrite) -> str:
    """Return an HTML page that needs no other file; `link` and `picture` rewrite addresses. HTML in it is text."""
    body = fragment(text, link, picture)
    heading = re.search(r"^# (.+)", text, re.MULTILINE)
    return template("prose.html.j2").render(title=heading[1] if heading else "", body=Markup(body))  # noqa: S704


def fragment(text: str, link: Rewrite, picture: Rewrite) -> str:
    """Return a text as HTML; headings have the addresses that GitHub gives them."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", slug(tokens[at + 1].content))
        if token.type == "fence" and " " in token.info.strip():
            token.attrSet("data-about", token.info.split(maxsplit=1)[1])  # as "server" of ```sh server
        if token.type == "inline" and token.children:
            token.children = _rewritten(token.children, link, picture)
    rendered: str = parser.renderer.render(tokens, parser.options, {})
    return rendered.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")


def slug(heading: str) -> str:
    """Return the address of a heading within its page."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _rewritten(children: list[Token], link: Rewrite, picture: Rewrite) -> list[Token]:
    """Return the tokens of a line with other addresses; a link without one is its text alone."""
    kept, dropped = [], 0
    for token in children:
        if token.type == "link_open":
            address = link(str(token.attrGet("href")))
            if address is None:
                dropped += 1
                continue
            token.attrSet("href", address)
            if "://" in address:
                token.attrSet("target", "_blank")
                token.attrSet("rel", "noopener")
        elif token.type == "link_close" and dropped:
            dropped -= 1  # links are never nested
            continue
        elif token.type == "image":
            source = picture(str(token.attrGet("src")))
            if source is None:
                continue
            token.attrSet("src", source)
        kept.append(token)
    return kept

"""Texts in Markdown as pages: addresses, headings, and nothing that runs."""

import re
from pathlib import Path

import pytest

from iolab.kinds.registry import KINDS
from iolab.report import prose

ROOT = Path(__file__).parents[2]


def rendered(text: str) -> str:
    return prose.page(text, lambda address: address if address.endswith(".md") else None, lambda _: "data:,")


def test_headings_have_the_addresses_that_links_use() -> None:
    page = rendered("# What it is\n\n## 1,000 users: A & B\n\nText.\n")
    assert "<title>What it is · iolab</title>" in page
    assert '<h2 id="1000-users-a--b">1,000 users: A &amp; B</h2>' in page


def test_a_link_that_leads_nowhere_is_its_text_and_the_next_one_stays() -> None:
    page = rendered("[a](../x.py) and [b](b.md), ![a picture](x.png)")
    assert '<p>a and <a href="b.md">b</a>, <img src="data:," alt="a picture" /></p>' in page


def test_html_in_a_text_is_text() -> None:
    page = rendered("<script>alert(1)</script>\n\n[x](javascript:alert(1)) <b onclick=x>b</b>\n")
    body = page.partition("<main")[2]
    assert "<script" not in body
    assert "<b " not in body
    assert "href" not in body


def test_tables_scroll_on_their_own() -> None:
    assert '<div class="wide"><table>' in rendered("| a | b |\n|---|---|\n| 1 | 2 |\n")


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_about_a_kind_is_there(kind: str) -> None:
    name, _, anchor = KINDS[kind].docs.partition("#")
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    headings = [prose.slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    assert not anchor or anchor in headings

"""Terms are explained once, where they first appear, and listed at the end."""

import re

import pytest

from iolab.report.glossary import TERMS, Glossary, anchor
from tests.conftest import ROOT


def test_a_term_is_linked_where_it_first_appears_and_not_again() -> None:
    glossary = Glossary()
    first, second = glossary.mark("The median & the p99 grow."), glossary.mark("Medians and p95 stay.")
    assert first.count('<a class="term"') == 2
    assert "&amp;" in first
    assert "<a" not in second
    assert [term.name for term in glossary.used] == ["median", "percentile"]


@pytest.mark.parametrize("text", ["steps of BACKLOG5", "a detail", "MiBs", "untailed"])
def test_parts_of_words_are_no_terms(text: str) -> None:
    assert "<a" not in Glossary().mark(text)


def test_each_term_has_a_place_of_its_own_and_a_document_that_has_its_word() -> None:
    assert len({anchor(term) for term in TERMS}) == len(TERMS)
    for term in TERMS:
        text = " ".join((ROOT / term.more).read_text().split())
        assert re.search(rf"\b(?:{term.words})\b", text, re.IGNORECASE), term.name


def test_a_page_lists_exactly_the_terms_that_it_has(recorded_page: str) -> None:
    linked = re.findall(r'class="term" href="#([^"]+)"', recorded_page)
    assert linked == re.findall(r'<dt id="([^"]+)"', recorded_page)
    assert {"term-median", "term-percentile", "term-accept-queue"} <= set(linked)

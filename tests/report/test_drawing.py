"""The form of every figure: both widths can be read, axes have labels, and a description cannot break a page."""

import re
from collections.abc import Callable

import pytest
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure

from iolab.kinds.closed import cpu_figures, figures
from iolab.kinds.closed.cells import Analysis
from iolab.report import drawing

PHONE_PX = 390 - 2 * 0.9 * 16  # a phone's screen without the margins of the page
LEAST_PX = 12.0
DRAWN = (figures.overview, figures.tails, cpu_figures.saturation)


def test_a_description_cannot_break_a_page() -> None:
    with drawing.sheet(narrow=False, height_in=1) as figure:
        drawn = drawing.svg(figure, 'the "first" <b> & other')
    assert 'aria-label="the &quot;first&quot; &lt;b&gt; &amp; other"' in drawn


@pytest.mark.parametrize("draw", DRAWN)
def test_text_on_a_phone_has_at_least_12_px(draw: Callable[[Analysis, bool], str], recorded: Analysis) -> None:
    drawn = draw(recorded, True)
    (width,) = re.findall(r'viewBox="0 0 ([\d.]+) ', drawn)
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )*([\d.]+)px", drawn)]
    assert len(sizes) > 5
    assert min(sizes) * PHONE_PX / float(width) >= LEAST_PX


@pytest.mark.parametrize("draw", DRAWN)
def test_both_forms_of_a_figure_share_no_name(draw: Callable[[Analysis, bool], str], recorded: Analysis) -> None:
    """A name that is defined in a form that the page hides would be lost to the other."""
    wide, narrow = (set(re.findall(r' id="([^"]+)"', draw(recorded, form))) for form in (False, True))
    assert wide
    assert not wide & narrow


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("draw", DRAWN)
def test_a_figure_is_drawn_once_and_laid_out_as_by_two_drawings(
    draw: Callable[[Analysis, bool], str], recorded: Analysis, narrow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def draw_counted(figure: Figure, renderer: RendererBase) -> None:
        drawn.append(figure)
        really(figure, renderer)

    really = Figure.draw
    monkeypatch.setattr(Figure, "draw", draw_counted)
    once = draw(recorded, narrow)
    assert len(drawn) == 1
    monkeypatch.setattr(drawing, "_lay_out", lambda figure: None)
    assert draw(recorded, narrow) == once
    assert len(drawn) == 3


def test_a_logarithmic_axis_has_more_than_one_label_and_no_more_than_fit() -> None:
    assert drawing.log_ticks(10, 200, 6) == [10, 20, 50, 100, 200]
    assert drawing.log_ticks(10, 10_000, 6) == [10, 100, 1000, 10_000]
    assert drawing.log_ticks(0.1, 1e7, 5) == [0.1, 10, 1000, 100_000, 1e7]
    steps = [step * 10.0**power for power in range(-2, 5) for step in (1, 2, 5)]
    for low in steps:
        for high in (each for each in steps if each >= 2 * low):
            assert 2 <= len(drawing.log_ticks(low, high, 5)) <= 5


def test_the_ends_of_an_axis_leave_room() -> None:
    assert drawing.ends(21.0, 21.0) == (10, 50)
    assert drawing.ends(20.0, 5400.0) == (10, 10_000)


def test_labels_are_spread_in_their_order_within_the_figure() -> None:
    assert drawing.spread([0.5, 0.5, 0.1], 0.2) == pytest.approx([0.5, 0.7, 0.1])
    assert drawing.spread([0.95, 1.0, 0.99], 0.1) == pytest.approx([0.8, 1.0, 0.9])
    assert drawing.spread([], 0.1) == []


@pytest.mark.parametrize(("value_ms", "text"), [(0.5, "0.5 ms"), (20, "20 ms"), (1000, "1 s"), (2500, "2.5 s")])
def test_ticks_of_time_have_units(value_ms: float, text: str) -> None:
    assert drawing.duration(value_ms) == text


def test_a_dollar_in_a_name_is_no_formula() -> None:
    with drawing.sheet(narrow=False, height_in=1) as figure:
        figure.suptitle("$\\frac{ x$ and $5")
        assert "$\\frac{ x$ and $5" in drawing.svg(figure, "a name")

"""A seat for each user: the drawing has as many seats as it says, and no user is rounded away."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from iolab.chat.entries import Outcome
from iolab.kinds.crowd import seats as crowd_seats
from iolab.kinds.crowd.analysis import analyse
from tests import crowds


@pytest.mark.parametrize(
    ("counts", "per_seat", "shown"),
    [
        ({"held": 8, "waiting": 992}, 1, {"held": 8, "waiting": 992}),
        ({"held": 8, "waiting": 9992}, 10, {"held": 1, "waiting": 999}),
        ({"held": 9995, "lost": 5}, 10, {"held": 999, "lost": 1}),
        ({"held": 27_000}, 27, {"held": 1000}),
        ({"held": 21_700, "refused": 5300}, 27, {"held": 803, "refused": 197}),
        ({}, 1, {}),
    ],
)
def test_seats_stand_for_users_and_every_outcome_has_one(
    counts: dict[Outcome, int], per_seat: int, shown: dict[Outcome, int]
) -> None:
    assert crowd_seats.seats(counts, per_seat) == shown


def drawn(drawing: str, colour: str) -> int:
    """Count the seats of a colour: each row is a dashed line, from the first to the last of its seats."""
    found = 0
    for lines in re.findall(rf'stroke:var\(--{colour}\)" d="([^"]+)"', drawing):
        for left, right in re.findall(r"M([\d.]+) [\d.]+H([\d.]+)", lines):
            found += round((float(right) - float(left)) / crowd_seats.PITCH + 0.5)
    return found


def test_the_drawing_has_eight_lit_seats_of_a_thousand(tmp_path: Path) -> None:
    (gallery,) = crowd_seats.galleries(analyse(crowds.run(tmp_path, (1000,), (crowds.B,))))
    (picture,) = gallery.pictures
    drawing = picture.draw()
    assert (drawn(drawing, "good"), drawn(drawing, "idle")) == (8, 992)
    assert picture[1:] == ("B (Thread pool, long poll)", "1,000 users: 8 served in time, 992 waiting")
    assert 'aria-label="1,000 users: 8 served in time, 992 waiting"' in drawing


def test_many_share_a_seat_and_it_says_so(tmp_path: Path) -> None:
    kind = replace(crowds.D, room=2100)
    (gallery,) = crowd_seats.galleries(analyse(crowds.run(tmp_path, (90, 2700), (kind,))))
    few, many = gallery.pictures
    assert (few.caption, drawn(few.draw(), "good")) == ("90 served in time", 90)
    assert many.caption == "a seat is 3 users: 2,100 served in time, 600 refused"
    assert (drawn(many.draw(), "good"), drawn(many.draw(), "bad")) == (700, 200)


def test_the_legend_explains_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    analysis = analyse(crowds.run(tmp_path, (100,), (crowds.B, replace(crowds.D, room=50))))
    (gallery,) = crowd_seats.galleries(analysis)
    assert [meaning for _, meaning in gallery.legend] == [
        "served in time", "connected, never served", "no connection",
    ]  # fmt: skip
    assert [drawn(svg, colour) for (svg, _), colour in zip(gallery.legend, ("good", "idle", "bad"), strict=True)] == [
        1
    ] * 3


def test_a_level_that_does_not_count_has_no_seats(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    crowds.add(folder, crowds.C, 100, valid=False, reason="the client died")
    assert crowd_seats.galleries(analyse(folder)) == []

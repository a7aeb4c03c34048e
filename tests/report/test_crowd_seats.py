"""A seat for everybody: the drawing has as many squares as it says, and nobody is rounded away."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

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
def test_squares_stand_for_users_and_every_outcome_has_one(
    counts: dict[str, int], per_seat: int, shown: dict[str, int]
) -> None:
    assert crowd_seats.seats(counts, per_seat) == shown


def drawn(drawing: str, style: str) -> int:
    """Count the squares of a class: each row is a dashed line, from the first to the last of its squares."""
    found = 0
    for lines in re.findall(rf'class="seat-{style}" d="([^"]+)"', drawing):
        for left, right in re.findall(r"M([\d.]+) [\d.]+H([\d.]+)", lines):
            found += round((float(right) - float(left)) / crowd_seats.PITCH + 0.5)
    return found


def test_the_drawing_has_eight_lit_seats_of_a_thousand(tmp_path: Path) -> None:
    ((name, (hall,)),) = crowd_seats.halls(analyse(crowds.run(tmp_path, (1000,), (crowds.B,))))
    assert name == "B (Thread pool, long poll)"
    assert (drawn(hall.drawing, "held"), drawn(hall.drawing, "waiting")) == (8, 992)
    assert (hall.users, hall.per_seat, hall.caption) == (1000, 1, "8 served in time, 992 waiting")
    assert 'aria-label="1,000 users: 8 served in time, 992 waiting"' in hall.drawing


def test_many_share_a_square_and_it_says_so(tmp_path: Path) -> None:
    kind = replace(crowds.D, room=2100)
    ((_, (few, many)),) = crowd_seats.halls(analyse(crowds.run(tmp_path, (90, 2700), (kind,))))
    assert (few.per_seat, drawn(few.drawing, "held")) == (1, 90)
    assert (many.per_seat, drawn(many.drawing, "held"), drawn(many.drawing, "refused")) == (3, 700, 200)


def test_the_legend_explains_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    analysis = analyse(crowds.run(tmp_path, (100,), (crowds.B, replace(crowds.D, room=50))))
    assert [meaning for _, meaning in crowd_seats.legend(analysis)] == [
        "served in time", "connected, and nobody comes", "no connection",
    ]  # fmt: skip


def test_a_level_that_does_not_count_has_no_hall(tmp_path: Path) -> None:
    folder = crowds.folder(tmp_path)
    crowds.add(folder, crowds.C, 100, valid=False, reason="the client died")
    assert crowd_seats.halls(analyse(folder)) == []

"""A student does the whole course: every block of the handout, as it is written, in a fresh clone."""

import re
from pathlib import Path

import pytest

from tests.learn.walk import Walk
from tests.mutate import copied


@pytest.mark.load
@pytest.mark.alone
@pytest.mark.timeout(900)
@pytest.mark.needs("strace", "hey", "browser")
def test_a_student_does_the_whole_course_and_gets_all_points_of_the_machine(tmp_path: Path) -> None:
    root = copied(tmp_path / "clone")
    said = Walk(root, short=True).all()
    points = re.search(r"(\d+) of (\d+) points by machine; (\d+) texts", said)
    assert points, said
    assert points[1] == points[2], said
    assert points[3] == "8"
    assert [*root.glob("lab-*.zip")], said

"""Students that have worked, made once: a test changes copies of their checkouts."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.learn.pupils import Pupil, pupil, two_clicks

Copy = Callable[[str], Pupil]


@pytest.fixture(scope="session")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Pupil:
    """A student that has done the course; it is not changed."""
    found = pupil(tmp_path_factory.mktemp("worked"), two_clicks(1)[0])
    found.work()
    return found


@pytest.fixture
def own(worked: Pupil, tmp_path: Path) -> Pupil:
    """A copy of a student's checkout, which a test may change."""
    root = tmp_path / "checkout"
    shutil.copytree(worked.root, root)
    copy = Pupil(worked.id, root)
    copy.clock.now = worked.clock.now
    return copy

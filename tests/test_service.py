"""The environment of a service: what is fixed in docker-compose.yml is not changed by a variable, and defaults hold."""

import math
from pathlib import Path

from iolab.lab import Lab
from tests.conftest import ROOT

BLOCK = """
services:
  one:
    build: { context: services/one }
    command: [python3, one.py]
    environment: { PORT: 9000, WAIT_MS: "${WAIT_MS:-20}", BACKLOG: "${BACKLOG:-1024}", THREADS: "4" }
    ports: ["127.0.0.1:9000:9000"]
    labels: { iolab.model: Z, iolab.workers: "4" }
"""


def test_variables_change_what_the_block_takes_from_them() -> None:
    (model,) = Lab.parse(Path("/lab"), BLOCK, {}).models
    changed = model.service.environment_with({"WAIT_MS": "5", "BACKLOG": "", "THREADS": "8", "OTHER": "x"})
    assert changed == {"PORT": "9000", "WAIT_MS": "5", "BACKLOG": "1024", "THREADS": "4"}
    assert model.service.environment_with({}) == dict(model.service.environment)


def test_the_relatives_are_what_their_blocks_say() -> None:
    lab = Lab.read_defaults(ROOT)
    by_letter = {model.letter: model for model in lab.family}
    prefork, waitress = by_letter["E"], by_letter["H"]
    assert (prefork.workers, prefork.interpreters, prefork.queues(reuseport=False), prefork.queues(reuseport=True)) == (
        8,
        8,
        1,
        8,
    )
    assert (waitress.workers, waitress.connection_limit, waitress.interpreters) == (4, 100, 1)
    assert waitress.service.environment_with({"THREADS": "8", "CONNECTION_LIMIT": ""})["THREADS"] == "4"
    assert [by_letter[each].code for each in "AEFH"] == ["blocking", "blocking", "blocking", "threadpool"]
    assert by_letter["B"].queues(reuseport=True) == 1
    assert Lab.parse(ROOT, (ROOT / "docker-compose.yml").read_text(), {"PROCESSES": "3"}).select(["E"])[0].workers == 3


def test_threads_of_a_free_threaded_build_compute_at_the_same_time() -> None:
    """Theory: min(threads, CPUs); one event loop, and one thread that serves, gain nothing."""
    by_letter = {model.letter: model for model in Lab.read_defaults(ROOT).family}
    free = {letter: by_letter[letter].free_interpreters for letter in "ABCDEFGHJ"}
    assert free == {"A": 1, "B": 8, "C": 1, "D": math.inf, "E": 8, "F": 1, "G": 1, "H": 4, "J": 1}
    assert {letter for letter in free if by_letter[letter].interpreters != 1} == {"E"}

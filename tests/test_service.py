"""The environment of a service: what is fixed in docker-compose.yml is not changed by a variable, and defaults hold."""

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

"""The list of mutations is of this code: each text that one replaces stands in its file once."""

import tomllib
from typing import Any

import pytest

from tests.conftest import ROOT

MUTATIONS: list[dict[str, Any]] = tomllib.loads((ROOT / "tests" / "mutations.toml").read_text())["mutations"]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation["name"])
def test_what_is_replaced_stands_there_once_and_its_tests_exist(mutation: dict[str, Any]) -> None:
    assert (ROOT / mutation["file"]).read_text().count(mutation["old"]) == 1
    for name in mutation["tests"].split():
        path, _, test = name.partition("::")
        assert (ROOT / path).exists()
        assert not test or f"\ndef {test}(" in (ROOT / path).read_text()

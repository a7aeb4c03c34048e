"""Bills of materials, and the list of licences, which has exactly the packages that are pinned."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from iolab import sbom
from iolab.sbom import Package
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "licences.md").read_text()
ROWS = [tuple(row) for row in re.findall(r"^\| ([\w.-]+) \| (\d\S*) \| (.+) \| ([\w, -]+) \|$", PAGE, re.MULTILINE)]


def test_every_requirements_file_has_an_environment() -> None:
    shown = subprocess.run(
        ["git", "ls-files", "*requirements*.txt"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = {ROOT / name for name in shown.stdout.split()}
    assert set(sbom.requirements(ROOT).values()) == files
    assert set(sbom.requirements(ROOT)) == {
        *("lab", "tests", "installer", "loadtest", "asyncio", "threadpool", "gevent", "uvicorn-uvicorn"),
        *("streamlit-uvicorn", "streamlit-tornado", "streamlit-uvloop"),
    }


def test_the_list_of_licences_has_the_pinned_packages_and_no_others() -> None:
    wanted = {package for path in sbom.requirements(ROOT).values() for package in sbom.pinned(path)}
    assert len(wanted) > 100
    assert {Package(name, version) for name, version, *_ in ROWS} == wanted, "make sbom"
    assert len(ROWS) == len(wanted)
    assert PAGE.count("\n| ") == len(ROWS) + 2


def test_every_package_has_a_licence_and_the_page_is_the_one_that_is_made_of_them() -> None:
    licences = {name: licence.replace("\\|", "|") for name, _, licence, _ in ROWS}
    assert sbom.NOT_KNOWN not in licences.values()
    assert {name: licences[name] for name in sbom.ELSEWHERE} == sbom.ELSEWHERE
    assert sbom.page(sbom.requirements(ROOT), licences) == PAGE, "make sbom"


def test_no_line_of_a_requirements_file_is_overlooked() -> None:
    for path in sbom.requirements(ROOT).values():
        lines = [line for line in path.read_text().splitlines() if line[:1].strip() and not line.startswith("#")]
        assert len(sbom.pinned(path)) == len(lines), path


@pytest.mark.parametrize(
    ("component", "otherwise", "licence"),
    [
        ({"licenses": [{"expression": "Apache-2.0 AND MIT"}]}, "", "Apache-2.0 AND MIT"),
        ({"licenses": [{"license": {"id": "MIT"}}, {"license": {"id": "MIT"}}]}, "", "MIT"),
        ({"licenses": [{"license": {"name": "License :: OSI Approved :: BSD License"}}]}, "BSD", "BSD License"),
        ({"licenses": [{"license": {"name": "x" * 100}}]}, "", sbom.NOT_KNOWN),
        ({}, "3-Clause BSD", "3-Clause BSD"),
        ({}, "Copyright\nall", sbom.NOT_KNOWN),
        ({}, "", sbom.NOT_KNOWN),
    ],
)
def test_a_licence_is_an_identifier_or_a_name(component: dict[str, object], otherwise: str, licence: str) -> None:
    assert sbom.licence(component, otherwise) == licence


@pytest.mark.load
def test_a_bill_of_materials_names_what_is_installed(tmp_path: Path) -> None:
    """The smallest of the environments, that of server B; it needs the package registry."""
    target = tmp_path / "sbom" / "threadpool.cdx.json"
    file = sbom.requirements(ROOT)["threadpool"]
    (package,) = sbom.pinned(file)
    licences = sbom.write(file, target)
    bill = json.loads(target.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    found = {(each["name"], each["version"]): each["purl"] for each in bill["components"]}
    assert found == {tuple(package): f"pkg:pypi/{package.name}@{package.version}"}
    assert licences == {package.name: next(licence for name, _, licence, _ in ROWS if name == package.name)}

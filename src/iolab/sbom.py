"""`python -m iolab.sbom`, which is `make sbom`: bills of materials, and docs/licences.md.

Each requirements file is installed into a new environment, of which cyclonedx-py writes a CycloneDX file with versions
and licences. The list of licences is made of these files; a test compares it with the requirements.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

from uv import find_uv_bin

from iolab.errors import UsageError
from iolab.host.processes import last_lines, run, temporary_folder
from iolab.lab import find_root

LIMIT_S = 900.0
LONGEST = 100  # of the name of a licence: what is longer is its text
ELSEWHERE = {  # licences of packages that only other systems install (Windows, PyPy), as their metadata has them
    "cffi": "MIT-0",
    "colorama": "BSD License",
    "pycparser": "BSD-3-Clause",
    "pywin32": "PSF",
}
NOT_KNOWN = "not stated in its metadata"
HEAD = """# Licences of the dependencies

Every Python package that the lab's environments, images and tests install, as `requirements*.txt` pins them.
`make sbom` writes this page, and a bill of materials of each environment (CycloneDX 1.6, JSON) to `results/sbom/`. The
licences are those that the packages state themselves.

The images also have the Debian packages of their base image, strace (LGPL-2.1-or-later) in that of Streamlit, and hey
(Apache-2.0) in that of the load generators. The lab itself is under the [MIT licence](../LICENSE).

| package | version | licence | used by |
| :-- | :-- | :-- | :-- |
"""


class Package(NamedTuple):
    """A pinned package: its name in normal form (PEP 503), and its version."""

    name: str
    version: str


def requirements(root: Path) -> dict[str, Path]:
    """Return all files of pinned requirements, by the name of their environment."""
    found = [
        *root.glob("requirements*.txt"),
        *root.glob("services/*/requirements*.txt"),
        root / "loadtest/requirements.txt",
    ]
    return {_environment(path.relative_to(root)): path for path in sorted(found)}


def _environment(path: Path) -> str:
    suffix = path.stem.removeprefix("requirements").strip("-")
    folder = path.parent.name or ("" if suffix else "lab")
    return {"dev": "tests"}.get(suffix, "-".join(filter(None, [folder, suffix])))


def pinned(path: Path) -> list[Package]:
    """Return the packages of a requirements file."""
    lines = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [Package(normal(name), version) for name, version in lines]


def normal(name: str) -> str:
    """Return the normal form of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def write(file: Path, target: Path) -> dict[str, str]:
    """Install a requirements file, write its bill of materials, and return the licences of the packages."""
    with temporary_folder() as folder:
        python = folder / "environment" / "bin" / "python"
        _do([sys.executable, "-m", "venv", "--without-pip", str(python.parents[1])])
        what = ["install", "--quiet", "--require-hashes", "-r", str(file)]
        try:
            _do([find_uv_bin(), "pip", *what, "--python", str(python)])
        except UsageError:  # uv ignores pip's settings, such as a mirror
            _do([sys.executable, "-m", "pip", "--python", str(python), *what, "--disable-pip-version-check"])
        made = folder / "sbom.json"
        tool = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--validate"]
        _do([*tool, "--spec-version", "1.6", "--output-format", "JSON", "-o", str(made), str(python)])
        text = made.read_text(encoding="utf-8")
        (packages,) = python.parents[1].glob("lib/python*/site-packages")
        stated = {
            normal(each.name): str(each.metadata["License"] or "") for each in distributions(path=[str(packages)])
        }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    names = {normal(each["name"]): each for each in json.loads(text).get("components", ())}
    return {name: licence(each, stated.get(name, "")) for name, each in names.items()}


def licence(component: Mapping[str, Any], otherwise: str = "") -> str:
    """Return the licences of a component of a bill of materials: SPDX identifiers or expressions, else names.

    If it has none, `otherwise` is taken, the free text of a package's metadata, if that is a name.
    """
    found = []
    for each in component.get("licenses", ()):
        named = each.get("license", {})
        found.append(each.get("expression") or named.get("id") or named.get("name", ""))
    names = [each.split(" :: ")[-1] for each in found or [otherwise] if len(each) < LONGEST and "\n" not in each]
    return "; ".join(filter(None, dict.fromkeys(names))) or NOT_KNOWN


def page(files: Mapping[str, Path], licences: Mapping[str, str]) -> str:
    """Return the list of licences: a line for each version of a package."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows(files, licences))


def _rows(files: Mapping[str, Path], licences: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    used: dict[Package, list[str]] = {}
    for name, path in files.items():
        for package in pinned(path):
            if name not in used.setdefault(package, []):
                used[package].append(name)
    for package, names in sorted(used.items()):
        stated = licences.get(package.name) or ELSEWHERE.get(package.name, NOT_KNOWN)
        yield package.name, package.version, stated.replace("|", "\\|"), ", ".join(_shortly(names))


def _shortly(names: Iterable[str]) -> list[str]:
    """Leave out `tests` where the lab itself has the package: the tests have all that it has."""
    names = list(names)
    return [name for name in names if name != "tests" or "lab" not in names]


def _do(command: list[str]) -> None:
    try:
        done = run(command, timeout_s=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise UsageError(f"{Path(command[0]).name} did not end within {LIMIT_S / 60:g} min") from None
    if done.status != 0:
        raise UsageError(f"{' '.join(command[:3])}: {last_lines(done.stderr or done.stdout, 3)}")


def main() -> None:
    """Write all."""
    root = find_root(Path.cwd())
    files, licences = requirements(root), dict[str, str]()
    for name, path in files.items():
        target = root / "results" / "sbom" / f"{name}.cdx.json"
        licences |= write(path, target)
        sys.stdout.write(f"{target.relative_to(root)}\n")
    (root / "docs" / "licences.md").write_text(page(files, licences), encoding="utf-8")
    sys.stdout.write("docs/licences.md\n")


if __name__ == "__main__":
    try:
        main()
    except UsageError as error:
        sys.exit(f"iolab: {error}")

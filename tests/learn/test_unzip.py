"""A zip is hostile until it is read: nothing is written outside of its folder, and each refusal is one line."""

import gzip
import hashlib
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iolab.learn import unzip
from iolab.learn.unzip import Refused, unpacked

GOOD = {"mylab/student.toml": b'student = "s1"\n', "mylab/trace.log.gz": gzip.compress(b"a line\n", mtime=0)}


def member(name: str) -> zipfile.ZipInfo:
    """Return a member of exactly this name."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    return info


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    """Write a zip with these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(member(name), content, zipfile.ZIP_DEFLATED)
    return path


def refusal(path: Path) -> str:
    """Return why a zip is refused; it must be one line."""
    with pytest.raises(Refused) as refused, unpacked(path):
        pass
    assert "\n" not in str(refused.value)
    return str(refused.value)


def read(path: Path) -> tuple[str, set[str]]:
    """Return why a zip is refused, or the names of its files, all of which are in the folder."""
    try:
        with unpacked(path) as found:
            inside = {each for each in found.folder.rglob("*") if each.is_file()}
            assert {each.relative_to(found.folder).as_posix() for each in inside} == set(found.files)
            assert all(each.resolve().is_relative_to(found.folder.resolve()) for each in inside)
            return "", set(found.files)
    except Refused as refused:
        return str(refused), set()


def with_member(path: Path, change: Callable[[zipfile.ZipInfo], None]) -> Path:
    info = zipfile.ZipInfo("mylab/x")
    change(info)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, b"/etc/passwd")
    return path


def test_files_are_unpacked_with_hashes_and_the_folder_is_removed(tmp_path: Path) -> None:
    with unpacked(zipped(tmp_path / "a.zip", GOOD)) as found:
        assert (found.folder / "mylab/student.toml").read_bytes() == GOOD["mylab/student.toml"]
        assert found.content("mylab/trace.log.gz") != found.files["mylab/trace.log.gz"]
        assert not [path for path in found.folder.rglob("*") if path.stat().st_mode & 0o111 and path.is_file()]
        folder = found.folder
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "/etc/out",
        "a/../../out",
        "./a",
        "a//b",
        "..",
        "a/..",
        "\x00a",
        "a\x1b[2J",
        "C:/out",
        "a\\..\\out",
        "a\u202egnp",
        "x" * 300,
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    said = refusal(zipped(tmp_path / "a.zip", {**GOOD, name: b"x"}))
    assert said.isprintable()


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o020644, 0o140644])
def test_links_and_devices_are_refused(tmp_path: Path, mode: int) -> None:
    path = with_member(tmp_path / "a.zip", lambda info: setattr(info, "external_attr", mode << 16))
    assert refusal(path) == "mylab/x is a link or a device"


def test_names_that_are_there_twice_or_differ_in_case_are_refused(tmp_path: Path) -> None:
    assert "upper and lower case" in refusal(zipped(tmp_path / "a.zip", {"mylab/a": b"", "MYLAB/A": b""}))
    content = zipped(tmp_path / "b.zip", {"a": b"1", "b": b"2"}).read_bytes()
    (tmp_path / "b.zip").write_bytes(content.replace(b"b", b"a"))
    assert "twice" in refusal(tmp_path / "b.zip")


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(zipped(tmp_path / "a.zip", {"a": b"", "a/b": b""}))


def test_more_than_2000_files_or_50_mib_are_refused(tmp_path: Path) -> None:
    assert "2,001 files" in refusal(zipped(tmp_path / "a.zip", {f"f{number}": b"" for number in range(2001)}))
    assert "50 MiB" in refusal(zipped(tmp_path / "b.zip", {"results/a": bytes(unzip.MOST_BYTES + 1)}))


def test_sizes_are_counted_and_not_believed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"results/a": bytes(unzip.MOST_BYTES + 1)})
    content = path.read_bytes().replace(struct.pack("<I", unzip.MOST_BYTES + 1), struct.pack("<I", 5))
    path.write_bytes(content)
    assert refusal(path)


def test_a_gz_within_counts_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(unzip.MOST_BYTES + 1))
    assert "mylab/trace.log.gz has more than" in refusal(zipped(tmp_path / "a.zip", {"mylab/trace.log.gz": bomb}))
    several = gzip.compress(bytes(unzip.MOST_BYTES // 2)) * 3
    assert refusal(zipped(tmp_path / "b.zip", {"mylab/trace.log.gz": several}))


def test_a_gz_has_the_hash_of_its_content(tmp_path: Path) -> None:
    text = os.urandom(300_000)
    for number, packed in enumerate(
        (gzip.compress(text, 1), gzip.compress(text, 9), gzip.compress(text[:9]) + gzip.compress(text[9:]))
    ):
        with unpacked(zipped(tmp_path / f"{number}.zip", {"a.gz": packed})) as found:
            assert found.content("a.gz") == hashlib.sha256(text).hexdigest()


def test_files_of_the_course_are_no_larger_than_they_need_to_be(tmp_path: Path) -> None:
    assert "mylab/answers.md" in refusal(zipped(tmp_path / "a.zip", {"mylab/answers.md": b"<!--" * 100_000}))


def test_cut_and_damaged_zips_are_refused(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", {"results/a": os.urandom(5000)}).read_bytes()
    for number, content in enumerate((whole[: len(whole) // 2], b"", b"no zip", whole[:100] + b"x" * 50 + whole[150:])):
        (tmp_path / f"{number}.zip").write_bytes(content)
        assert refusal(tmp_path / f"{number}.zip")


def test_encrypted_zips_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"mylab/x": b"x"})
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    path.write_bytes(content)
    assert refusal(path) == "mylab/x is encrypted"


def test_other_methods_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("mylab/x", bytes(1000))
    assert "method" in refusal(tmp_path / "a.zip")


def test_a_link_to_a_zip_a_folder_and_a_large_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link.zip").symlink_to(zipped(tmp_path / "a.zip", GOOD))
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "large.zip").write_bytes(bytes(unzip.MOST_ZIP_BYTES + 1))
    os.mkfifo(tmp_path / "pipe.zip")
    for name in ("link", "folder", "large", "pipe"):
        assert refusal(tmp_path / f"{name}.zip")


PARTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["..", ".", "", "mylab", "results", "~", "/", "\\"]
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(PARTS, min_size=1, max_size=4), min_size=1, max_size=5))
def test_whatever_its_names_nothing_is_written_outside(tmp_path: Path, names: list[list[str]]) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name in dict.fromkeys("/".join(parts) for parts in names):
            archive.writestr(member(name or "x"), b"content")
    path = tmp_path / "fuzz.zip"
    path.write_bytes(memory.getvalue())
    refused, found = read(path)
    assert "\n" not in refused
    assert not found or not refused
    assert [each.name for each in tmp_path.iterdir()] == ["fuzz.zip"]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_damage_anywhere_is_refused_or_read(tmp_path: Path, place: int, patch: bytes) -> None:
    path = zipped(tmp_path / "fuzz.zip", GOOD)
    content = path.read_bytes()
    place %= len(content)
    path.write_bytes(content[:place] + patch + content[place + len(patch) :])
    refused, found = read(path)
    assert bool(found) != bool(refused)
    assert "\n" not in refused

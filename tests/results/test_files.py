"""Files of a run folder that anybody may have made: links, pipes, sizes."""

import errno
import gzip
import os
from pathlib import Path

import pytest

from iolab.errors import UsageError
from iolab.results import files, rows
from iolab.results.folder import RunFolder
from iolab.results.samples import Sample


def test_a_file_that_is_written_replaces_a_link_and_leaves_its_target(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "page").symlink_to(other)
    files.write(tmp_path / "page", b"new")
    assert (tmp_path / "page").read_text() == "new"
    assert not (tmp_path / "page").is_symlink()
    assert other.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "page"]


def test_a_folder_that_is_a_link_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UsageError, match="link is a link, not a folder"):
        files.write(tmp_path / "link" / "page", b"new")
    assert list((tmp_path / "real").iterdir()) == []


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write(tmp_path / "page", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_a_link_is_neither_read_nor_appended_to(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine\n")
    (tmp_path / "trials.jsonl").symlink_to(other)
    with pytest.raises(UsageError, match=r"trials\.jsonl is a link"):
        files.read(tmp_path / "trials.jsonl")
    with pytest.raises(UsageError, match=r"trials\.jsonl is a link"):
        files.append(tmp_path / "trials.jsonl", b"more\n")
    assert other.read_text() == "mine\n"


@pytest.mark.needs("linux")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(UsageError, match="a pipe or a device"):
        files.read(tmp_path / "run.json")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "trials.jsonl").open("wb") as file:
        file.truncate(files.MOST_BYTES + 1)
    with pytest.raises(UsageError, match="more than 128"):
        files.read(tmp_path / "trials.jsonl")


class Disk:
    """Notes what each file has on disk: what was written when the kernel was told to keep it (fsync)."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self.kept, self.names = folder, dict[int, bytes](), list[list[str]]()
        fsync = os.fsync

        def noted(descriptor: int) -> None:
            fsync(descriptor)
            inode = os.fstat(descriptor).st_ino
            (path,) = (each for each in folder.iterdir() if each.stat().st_ino == inode)
            self.kept[inode] = path.read_bytes()
            self.names.append(sorted(each.name for each in folder.iterdir()))

        monkeypatch.setattr(os, "fsync", noted)

    def of(self, name: str) -> bytes | None:
        """Return what would be in a file of that name after a crash; None: not known."""
        return self.kept.get((self._folder / name).stat().st_ino)


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_file_has_its_name_when_all_of_it_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    """A crash, or somebody who reads meanwhile, finds the old file or the new one, never a part."""
    path = tmp_path / "summary.json"
    if before is not None:
        path.write_bytes(before)
    disk = Disk(tmp_path, monkeypatch)
    files.write(path, b"new")
    (meanwhile,) = disk.names
    assert len(meanwhile) == (1 if before is None else 2)
    assert meanwhile[0].startswith(".writing-")
    assert disk.of("summary.json") == b"new"
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_whose_disk_is_full_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "page").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(tmp_path / "page", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("page", b"old")]


def test_a_trial_is_on_disk_when_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path, monkeypatch)
    for lines in (b"one\n", b"one\ntwo\n"):
        files.append(tmp_path / "trials.jsonl", lines[-4:])
        assert disk.of("trials.jsonl") == lines


def test_lines_are_appended(tmp_path: Path) -> None:
    files.append(tmp_path / "lines", b"one\n")
    files.append(tmp_path / "lines", b"two\n")
    assert files.read(tmp_path / "lines") == b"one\ntwo\n"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../other.csv.gz",
        "samples/../../x.csv.gz",
        "samples/0000-requests.csv",
        "run.json",
        "samples/0-R.gz",
    ],
)
def test_rows_are_files_in_samples(tmp_path: Path, name: str) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    with pytest.raises(UsageError, match="is no file of requests in samples/"):
        folder.read_rows({"requests": name}, "requests", Sample)


def test_rows_behind_a_link_are_not_read(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "bench")
    written = folder.write_rows(0, requests=[Sample(0.0, 0.02, 200)])
    path = folder.path / written["requests"]
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(UsageError, match="is a link"):
        folder.read_rows(written, "requests", Sample)
    (folder.path / "samples").rename(tmp_path / "samples")
    (folder.path / "samples").symlink_to(tmp_path / "samples")
    with pytest.raises(UsageError, match="samples is a link"):
        folder.read_rows(written, "requests", Sample)
    with pytest.raises(UsageError, match="samples is a link"):
        folder.write_rows(1, requests=[Sample(0.0, 0.02, 200)])


def packed(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(f"{','.join(Sample._fields)}\n{text}".encode()))
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.0,-0.081,200\n", "run backwards"),
        ("0.0,nan,200\n", "not finite"),
        ("0.0,0.02\n", "2 values"),
        (f"0.0,{'0' * 20_000},200\n", "characters or more"),
    ],
)
def test_rows_that_cannot_have_been_measured_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rows.decoded(packed(tmp_path / "rows.csv.gz", text), Sample)


def test_the_number_of_rows_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS", 3)
    path = packed(tmp_path / "rows.csv.gz", "0.0,0.02,200\n" * 3)
    assert len(rows.decoded(path, Sample)) == 3
    packed(path, "0.0,0.02,200\n" * 4)
    with pytest.raises(ValueError, match="more than 3 rows"):
        rows.decoded(path, Sample)
    monkeypatch.setattr(rows, "MOST_ROWS", 10)
    monkeypatch.setattr(rows, "MOST_CHARACTERS", 70)
    with pytest.raises(ValueError, match="more than 70 characters"):
        rows.decoded(path, Sample)

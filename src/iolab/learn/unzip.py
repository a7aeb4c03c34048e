"""Unpacks a zip that any student may have made: nothing is executed, and nothing is written outside of one folder."""

import hashlib
import os
import re
import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 2_000
MOST_BYTES = 50 << 20  # of all files, those that are packed once more counted unpacked
MOST_ZIP_BYTES = 10 << 20  # a zip of make submit has half of it
MOST_OF = (  # bytes of one file: reading a larger one takes long
    (re.compile(r"mylab/student\.toml"), 10_000),
    (re.compile(r"mylab/answers\.md|mylab/hey-[\w.-]+\.txt"), 200_000),
    (re.compile(r"manifest\.json|.*/run\.json|results/contract/.*"), 1_000_000),
    (re.compile(r"mylab/journal\.jsonl|.*/trials\.jsonl"), 5_000_000),
)
LONGEST = 200  # characters of a name
CHUNK = 1 << 16
STRANGE = re.compile(r"[\x00-\x1f\x7f-\x9f\\:\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error, struct.error, ValueError, OverflowError, RuntimeError)
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class Refused(Exception):
    """A zip that is not read; the message says why, and names the file in it."""


@dataclass(frozen=True)
class Unpacked:
    """A zip that was unpacked: its files by name, each with its SHA-256; `inner` has those of unpacked .gz files."""

    folder: Path
    files: Mapping[str, str]
    inner: Mapping[str, str]

    def content(self, name: str) -> str:
        """Return the SHA-256 of a file's content, unpacked."""
        return self.inner.get(name) or self.files[name]


@contextmanager
def unpacked(path: Path) -> Iterator[Unpacked]:
    """Unpack a zip into a temporary folder, which is removed at the end; raises Refused."""
    with tempfile.TemporaryDirectory(prefix="iolab-zip-", ignore_cleanup_errors=True) as name:
        yield _unpack(path, Path(name))


def _unpack(path: Path, folder: Path) -> Unpacked:
    _check_file(path)
    hashes: dict[str, str] = {}
    inner: dict[str, str] = {}
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            for member in _checked(archive.infolist()):
                target = folder / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source:
                    found = _write(source, target, member.filename, left)
                hashes[member.filename] = found.sha256
                if found.inner:
                    inner[member.filename] = found.inner
                left -= found.bytes
    except DAMAGED as error:
        raise Refused(f"it is damaged, cut, or no zip: {' '.join(str(error).split())[:200]}") from error
    except OSError as error:  # such as a file and a folder of the same name
        raise Refused(f"it cannot be unpacked: {error.strerror or error}") from error
    return Unpacked(folder, hashes, inner)


def _check_file(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise Refused("it is a link, or no file")
    if found.st_size > MOST_ZIP_BYTES:
        raise Refused(f"it has {found.st_size >> 20} MiB, more than {MOST_ZIP_BYTES >> 20}")


def _checked(members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Return the members that are files; raises Refused if any member must not be in a zip."""
    if len(members) > MOST_FILES:
        raise Refused(f"it has {len(members):,} files, more than {MOST_FILES:,}")
    if sum(member.file_size for member in members) > MOST_BYTES:
        raise Refused(f"it has more than {MOST_BYTES >> 20} MiB unpacked")
    seen: set[str] = set()
    for member in members:
        if why := _mistake(member):
            raise Refused(f"{_shown(member.orig_filename)} {why}")
        plain = unicodedata.normalize("NFKC", member.filename.rstrip("/")).casefold()
        if plain in seen:
            raise Refused(f"{_shown(member.filename)} is in it twice, or differs in upper and lower case only")
        seen.add(plain)
    return [member for member in members if not member.is_dir()]


def _mistake(member: zipfile.ZipInfo) -> str:
    """Return what is wrong with a member; "" if nothing is."""
    name, kind = member.orig_filename, stat.S_IFMT(member.external_attr >> 16)
    parts = name.removesuffix("/").split("/")
    mistakes = {
        f"has a name of {len(name)} characters": not name or len(name) > LONGEST,
        "leads out of its folder": any(part in ("", ".", "..") for part in parts),
        "has a control character, a backslash or a colon in its name": STRANGE.search(name) or name != member.filename,
        "is a link or a device": kind not in (0, stat.S_IFREG, stat.S_IFDIR),
        "is encrypted": member.flag_bits & 0x41,
        "is packed by another method than deflate": member.compress_type not in METHODS,
    }
    return next((mistake for mistake, made in mistakes.items() if made), "")


def _shown(name: str) -> str:
    return ascii(name[:LONGEST])[1:-1]


@dataclass(frozen=True)
class _Written:
    sha256: str
    inner: str
    bytes: int


class _Inner:
    """The content of a .gz as it passes: its hash and its size; a damaged one has none."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=31)
        self._hash, self.bytes, self._damaged = hashlib.sha256(), 0, False

    def see(self, chunk: bytes, most: int) -> None:
        """Unpack a chunk; stops soon after `most` bytes."""
        while not self._damaged and self.bytes <= most:
            try:
                found = self._unpacker.decompress(chunk, CHUNK)
            except zlib.error:
                self._damaged = True
                return
            self._hash.update(found)
            self.bytes += len(found)
            chunk = self._unpacker.unconsumed_tail
            if self._unpacker.eof:  # a .gz may have several parts
                chunk, self._unpacker = self._unpacker.unused_data, zlib.decompressobj(wbits=31)
            if not chunk and len(found) < CHUNK:
                return

    def digest(self) -> str:
        """Return the hash of what was unpacked; "" if it is damaged."""
        return "" if self._damaged else self._hash.hexdigest()


def _write(source: object, target: Path, name: str, left: int) -> _Written:
    """Write a file, whose header may say anything about its size; raises Refused where it becomes too large."""
    most = min([left, *(size for pattern, size in MOST_OF if pattern.fullmatch(name))])
    digest, size, inner = hashlib.sha256(), 0, _Inner() if name.endswith(".gz") else None
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := source.read(CHUNK):  # type: ignore[attr-defined]
            size += len(chunk)
            if inner:
                inner.see(chunk, most)
            if size + (inner.bytes if inner else 0) > most:
                raise Refused(f"{_shown(name)} has more than {most / (1 << 20):.3g} MiB unpacked")
            digest.update(chunk)
            file.write(chunk)
    return _Written(digest.hexdigest(), inner.digest() if inner else "", size + (inner.bytes if inner else 0))

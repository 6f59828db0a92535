"""Archives of bundles: equal contents give equal bytes, and nothing is unpacked outside its folder."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from itertools import islice
from pathlib import Path, PurePosixPath

from firmware_flows.errors import InputError
from firmware_flows.files import atomic_path

SUFFIX = ".tar.gz"

MAX_BYTES = 8 << 30
MAX_FILES = 100_000
"""A bundle is far smaller; what is larger is refused before it fills the disk."""


class ArchiveError(InputError):
    """An archive that is truncated, no archive, or holds what no bundle does: nothing of it is left on disk."""


def write_archive(directory: Path, path: Path) -> Path:
    """Pack `directory` under its own name, files sorted, without owners or times; returns `path`."""
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=9, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in sorted(p for p in directory.rglob("*") if p.is_file()):
            member = tarfile.TarInfo(f"{directory.name}/{file.relative_to(directory).as_posix()}")
            member.size = file.stat().st_size
            member.mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            with file.open("rb") as stream:
                archive.addfile(member, stream)
    return path


def extract_archive(path: Path, directory: Path) -> Path:
    """Unpack into the empty `directory`; returns the one folder that the archive holds.

    Every name is looked at before anything is written. Raises ArchiveError for names that climb out or are absolute,
    links and devices, a name twice, more than one folder, and an archive that is cut off.
    """
    try:
        _read_to_the_end(path)
        with tarfile.open(path, "r:gz") as archive:
            members = list(islice(archive, MAX_FILES + 1))
            top = _check_members(path, members)
            for member in members:
                if member.isfile():
                    _write(archive, member, directory)
    except FileNotFoundError:
        raise ArchiveError(f"{path} does not exist") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ArchiveError(f"{path} is truncated or no archive: {error}; get it again") from None
    return directory / top


def _read_to_the_end(path: Path) -> None:
    """gzip keeps its checksum after the last byte, and tar stops before: what is cut off or changed is found here."""
    size = 0
    with gzip.open(path) as stream:
        while block := stream.read(1 << 20):
            size += len(block)
            if size > MAX_BYTES:
                raise ArchiveError(
                    f"{path} holds more than {MAX_BYTES} bytes, more than a bundle; nothing was unpacked"
                )


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, directory: Path) -> None:
    source = archive.extractfile(member)
    assert source is not None
    target = directory / member.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as stream:
        remaining = member.size
        while remaining > 0:
            block = source.read(min(remaining, 1 << 20))
            if not block:
                raise EOFError(f"{member.name} is cut off")
            stream.write(block)
            remaining -= len(block)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _check_members(path: Path, members: list[tarfile.TarInfo]) -> str:
    """The folder's name."""
    tops, names = set(), set()
    for member in members:
        name = PurePosixPath(member.name)
        reason = None
        if name.is_absolute() or member.name.startswith("/"):
            reason = "is absolute"
        elif ".." in name.parts:
            reason = "climbs out of its folder"
        elif member.issym() or member.islnk():
            reason = "is a link"
        elif not (member.isfile() or member.isdir()):
            reason = "is neither file nor folder"
        elif "\\" in member.name or "\0" in member.name or not name.parts:
            reason = "is no name of a file"
        elif member.isfile() and (name in names or len(name.parts) < 2):
            reason = "is there twice" if name in names else "lies in no folder"
        if reason is not None:
            raise ArchiveError(f"{path}: {member.name!r} {reason}; nothing was unpacked")
        names.add(name)
        tops.add(name.parts[0])
    if len(tops) != 1:
        raise ArchiveError(f"{path} holds {'no folder' if not tops else 'more than one folder'}, so it is no bundle")
    if len(members) > MAX_FILES:
        raise ArchiveError(f"{path} holds more than {MAX_FILES} files, more than a bundle: nothing unpacked")
    return str(tops.pop())

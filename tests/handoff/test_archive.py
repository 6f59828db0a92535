"""Archives: equal bytes for equal contents; nothing is written outside the folder, whatever the archive says."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from firmware_flows.handoff.archive import ArchiveError, extract_archive, write_archive


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "bundle"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "file.txt").write_text("content\n")
    (root / "CHECK.sh").write_text("true\n")
    (root / "CHECK.sh").chmod(0o755)
    return root


def crafted(path: Path, *members: tuple[str, bytes | str], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if kind == tarfile.REGTYPE:
                assert isinstance(content, bytes)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = kind, str(content)
                archive.addfile(member)
    return path


def test_an_archive_gives_back_what_was_packed(tree: Path, tmp_path: Path) -> None:
    archive = write_archive(tree, tmp_path / "a.tar.gz")
    (tmp_path / "out").mkdir()
    top = extract_archive(archive, tmp_path / "out")
    assert top == tmp_path / "out" / "bundle"
    assert (top / "deep/er/file.txt").read_text() == "content\n"
    assert os.access(top / "CHECK.sh", os.X_OK)
    assert not os.access(top / "deep/er/file.txt", os.X_OK)


def test_bytes_do_not_depend_on_times_owners_or_order(tree: Path, tmp_path: Path) -> None:
    first = write_archive(tree, tmp_path / "a.tar.gz").read_bytes()
    os.utime(tree / "CHECK.sh", (1, 1))
    (tree / "deep" / "er" / "file.txt").unlink()
    (tree / "deep" / "er" / "file.txt").write_text("content\n")
    assert write_archive(tree, tmp_path / "b.tar.gz").read_bytes() == first
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert all((m.mtime, m.uid, m.uname) == (0, 0, "") for m in archive.getmembers())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.txt", "climbs out of its folder"),
        ("bundle/../../evil.txt", "climbs out of its folder"),
        ("/tmp/evil.txt", "is absolute"),
        ("evil.txt", "lies in no folder"),
        ("bundle\\..\\evil.txt", "is no name of a file"),
    ],
)
def test_names_that_leave_the_folder_are_refused_before_anything_is_written(
    tmp_path: Path, name: str, reason: str
) -> None:
    archive = crafted(tmp_path / "a.tar.gz", ("bundle/ok.txt", b"x"), (name, b"x"))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ArchiveError, match=reason):
        extract_archive(archive, out)
    assert list(out.iterdir()) == []
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_are_refused(tmp_path: Path, kind: bytes) -> None:
    archive = crafted(tmp_path / "a.tar.gz", ("bundle/link", "/etc/passwd"), kind=kind)
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveError, match="is a link; nothing was unpacked"):
        extract_archive(archive, tmp_path / "out")


def test_a_fifo_a_double_and_two_folders_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ArchiveError, match="neither file nor folder"):
        extract_archive(crafted(tmp_path / "a.tar.gz", ("bundle/x", ""), kind=tarfile.FIFOTYPE), out)
    with pytest.raises(ArchiveError, match="is there twice"):
        extract_archive(crafted(tmp_path / "b.tar.gz", ("bundle/x", b"1"), ("bundle/x", b"2")), out)
    with pytest.raises(ArchiveError, match="more than one folder"):
        extract_archive(crafted(tmp_path / "c.tar.gz", ("a/x", b"1"), ("b/x", b"2")), out)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.99999])
def test_a_truncated_archive_is_said_to_be_one(tmp_path: Path, share: float) -> None:
    root = tmp_path / "bundle"
    root.mkdir()
    (root / "random").write_bytes(os.urandom(100_000))
    content = write_archive(root, tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(content[: int(len(content) * share)])
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveError, match="truncated or no archive"):
        extract_archive(tmp_path / "cut.tar.gz", tmp_path / "out")


def test_one_flipped_bit_is_found_before_anything_is_written(tree: Path, tmp_path: Path) -> None:
    content = write_archive(tree, tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "out").mkdir()
    for place in range(10, len(content), 7):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        (tmp_path / "flipped.tar.gz").write_bytes(flipped)
        with pytest.raises(ArchiveError, match="truncated or no archive"):
            extract_archive(tmp_path / "flipped.tar.gz", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_larger_than_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.setattr("firmware_flows.handoff.archive.MAX_FILES", 3)
    many = crafted(tmp_path / "many.tar.gz", *((f"b/{k}", b"") for k in range(4)))
    with pytest.raises(ArchiveError, match="more than 3 files"):
        extract_archive(many, tmp_path / "out")
    monkeypatch.setattr("firmware_flows.handoff.archive.MAX_BYTES", 1 << 20)
    with pytest.raises(ArchiveError, match="more than 1048576 bytes"):
        extract_archive(crafted(tmp_path / "bomb.tar.gz", ("b/zero", bytes(2 << 20))), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "text.tar.gz").write_text("hello")
    (tmp_path / "gzip.tar.gz").write_bytes(gzip.compress(b"hello"))
    for name in ("text", "gzip"):
        with pytest.raises(ArchiveError, match="truncated or no archive"):
            extract_archive(tmp_path / f"{name}.tar.gz", tmp_path / "out")
    with pytest.raises(ArchiveError, match="does not exist"):
        extract_archive(tmp_path / "none.tar.gz", tmp_path / "out")

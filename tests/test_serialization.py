"""Program files: the same Program comes back, the same bytes go out, and damage is always said to be damage."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from random_programs import programs
from small_networks import dense_network, two_ports

import firmware_flows as ff
from firmware_flows.program import Program
from firmware_flows.serialization import VERSION, ProgramFileError, from_bytes, load_program, to_bytes


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_what_is_saved_comes_back(program: Program) -> None:
    content = to_bytes(program)
    again = from_bytes(content)
    assert to_bytes(again) == content
    assert again.digest == program.digest
    assert again.to_text() == program.to_text()


def test_everything_comes_back(tmp_path: Path) -> None:
    program = dense_network([4, 6, 3])
    again = ff.load_program(program.save(tmp_path / "deep" / "net.ffp"))
    assert again.name == "4-6-3"
    assert again.metadata == program.metadata
    assert list(again.metadata) == ["classes", "units"]
    for one, other in zip(program.layers, again.layers, strict=True):
        for field in ("name", "kind", "inputs", "value", "instructions", "shape", "types", "attributes", "remarks"):
            assert getattr(one, field) == getattr(other, field)
        assert list(one.arrays) == list(other.arrays)
        assert all(np.array_equal(one.arrays[k], other.arrays[k]) for k in one.arrays)
    x = np.random.default_rng(0).normal(size=(20, 4))
    assert np.array_equal(ff.emulate(program, x), ff.emulate(again, x))
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["net.ffp"]


def test_the_same_program_gives_the_same_bytes() -> None:
    assert to_bytes(dense_network([4, 6, 3])) == to_bytes(dense_network([4, 6, 3]))


def test_the_digest_is_of_what_computes() -> None:
    program = dense_network([4, 6, 3])
    kept = {k: getattr(program, k) for k in ("name", "instructions", "outputs")}
    assert Program(**{**kept, "name": "other"}, metadata={"a": 1}).digest == program.digest
    digests = {p.digest for p in (program, dense_network([4, 6, 3], bits=5), dense_network([4, 6, 2]), two_ports())}
    assert len(digests) == 4


@pytest.fixture(scope="module")
def content() -> bytes:
    return to_bytes(dense_network([3, 4, 2]))


def test_truncated_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "short.ffp"
    lengths = {0, 1, 3, 21, 22, len(content) - 1, *range(0, len(content), 37)}
    for length in sorted(lengths):
        path.write_bytes(content[:length])
        with pytest.raises(ProgramFileError, match=r"short\.ffp: is "):
            load_program(path)


def survives(damaged: bytes, wanted: bytes) -> bool:
    """Whether damaged content is read: then it must be the same Program (time stamps and the like do not matter)."""
    program, message = None, ""
    try:
        program = from_bytes(damaged, "net.ffp")
    except ProgramFileError as error:
        message = str(error)
    assert message.startswith("net.ffp: ") if program is None else to_bytes(program) == wanted
    return program is not None


def test_flipped_bits_never_give_another_program(content: bytes) -> None:
    places = [*range(0, len(content), 11), *range(len(content) - 60, len(content))]
    survivors = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        survivors += survives(bytes(damaged), content)
    assert survivors < len(places) / 3


def test_random_damage_never_gives_another_program(content: bytes) -> None:
    source = random.Random(4)
    for _ in range(150):
        damaged = bytearray(content)
        first = source.randrange(len(content))
        for place in range(first, min(len(content), first + source.choice([1, 4, 50]))):
            damaged[place] = source.randrange(256)
        survives(bytes(damaged), content)


def rewritten(content: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The archive with its parts changed, and a checksum that fits."""
    from firmware_flows import serialization

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    header = json.loads(parts["header.json"])
    rest = {k: v for k, v in parts.items() if k not in ("header.json", "program.json")}
    header["sha256"] = serialization._hash(parts["program.json"], rest)
    parts["header.json"] = json.dumps(header).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return stream.getvalue()


def header(key: str, value: Any) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        parts["header.json"] = json.dumps({**json.loads(parts["header.json"]), key: value}).encode()

    return change


def document(*path: Any, value: Any) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        whole = place = json.loads(parts["program.json"])
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        parts["program.json"] = json.dumps(whole).encode()

    return change


def float_array(parts: dict[str, bytes]) -> None:
    stream = io.BytesIO()
    np.save(stream, np.ones((3, 4)))
    parts["arrays/1_weights.npy"] = stream.getvalue()


def test_a_newer_version_is_named(content: bytes) -> None:
    newer = rewritten(content, header("version", VERSION + 1))
    with pytest.raises(
        ProgramFileError, match=f"x.ffp: has format version {VERSION + 1}; .* reads up to {VERSION}. Inst"
    ):
        from_bytes(newer, "x.ffp")


def test_another_archive_is_not_called_damaged() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:  # as a .keras file is
        archive.writestr("config.json", "{}")
    with pytest.raises(ProgramFileError, match=r"net.keras: is not a firmware-flows program. Make one with .*convert"):
        from_bytes(stream.getvalue(), "net.keras")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (header("format", "something else"), "is not a firmware-flows program"),
        (header("version", "one"), "is damaged"),
        (document("instructions", 1, "kind", value="softmax"), "is damaged"),
        (document("instructions", 1, "source", value=5), "reads value %5, which is not computed before it"),
        (document("instructions", 1, "source", value="x"), "is damaged"),
        (document("instructions", 1, "weights", value=[1, 2]), "must be an int64 array"),
        (document("instructions", 1, "weights", value={"array": "9_none"}), "is damaged"),
        (document("instructions", 1, "type", value=[4, 4, True, "TRN", "WRAP"]), "is damaged"),
        (document("instructions", 1, "type", value=[10**30, 4, True, "TRN", "WRAP"]), "is damaged"),
        (document("instructions", 1, "type", value=[0, 4, True, "TRN", "WRAP"]), "must be a positive integer"),
        (document("instructions", 1, "weight_fractional", value=10**9), "is damaged"),
        (document("instructions", value=[]), "has no instructions"),
        (document("outputs", value=[["y", 99]]), "names value %99"),
        (document("layers", 0, "types", value={}), "is damaged"),
        (lambda parts: parts.pop("program.json"), "is damaged"),
        (lambda parts: parts.pop("arrays/1_weights.npy"), "is damaged"),
        (float_array, "array of float64 instead of int64"),
        (lambda parts: parts.update({"program.json": b"[" * 100_000}), "is damaged"),
    ],
)
def test_wrong_content_with_a_right_checksum_is_refused(
    content: bytes, change: Callable[[dict[str, bytes]], None], reason: str
) -> None:
    def guarded(parts: dict[str, bytes]) -> None:
        change(parts)
        parts.setdefault("program.json", b"")

    with pytest.raises(ProgramFileError, match=reason):
        from_bytes(rewritten(content, guarded), "x.ffp")


def test_other_files_are_refused(tmp_path: Path) -> None:
    text, archive = tmp_path / "notes.txt", tmp_path / "other.zip"
    text.write_text("a text")
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("a.txt", "a")
    for path in (text, archive):
        with pytest.raises(ProgramFileError, match=f"{path.name}: is ") as caught:
            load_program(path)
        assert caught.value.path == path
        assert caught.value.exit_code == 2
        assert "firmware-flows convert" in str(caught.value)
    with pytest.raises(ProgramFileError, match=r"gone\.ffp: cannot be read \(No such file or directory\)"):
        load_program(tmp_path / "gone.ffp")
    with pytest.raises(ProgramFileError, match="cannot be read"):
        load_program(tmp_path)


def test_a_failed_save_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dense_network([4, 6, 3]).save(tmp_path / "net.ffp")
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ProgramFileError, match=r"net\.ffp: cannot be written \(No space left on device\)"):
        two_ports().save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.ffp"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProgramFileError, match="cannot be written"):
        two_ports().save(tmp_path / "file" / "net.ffp")

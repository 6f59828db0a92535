"""Samples, their file, and production in chunks: repeatable, resumable, independent of the number of workers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from models.jet_tagger import dataset
from models.jet_tagger.dataset import plan, produce
from models.jet_tagger.errors import SampleError, SampleFileError, UnknownClassError
from models.jet_tagger.sample import (
    CLASSES,
    HIGH_LEVEL_FEATURES,
    JetSample,
    class_index,
    concatenate,
    is_sample_file,
    labels_from_one_hot,
    leading_constituents,
    load_sample,
    save_sample,
)

h5py = pytest.importorskip("h5py", reason="needs the physics extra")

PARTS = ("labels", "constituents", "high_level", "jet")


def random_sample(jets: int, seed: int = 0, label: int | None = None) -> JetSample:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, jets) if label is None else np.full(jets, label)
    particles = leading_constituents(rng.exponential(20, (jets, 64, 3)))
    return JetSample(
        labels.astype(np.int8),
        particles,
        rng.normal(size=(jets, 16)).astype(np.float32),
        rng.normal(size=(jets, 4)).astype(np.float32),
    )


def assert_same(one: JetSample, other: JetSample) -> None:
    for part in PARTS:
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part), err_msg=part)


def test_a_sample_survives_its_file_which_states_order_and_units(tmp_path: Path) -> None:
    sample = random_sample(30)
    save_sample(sample, tmp_path / "deep" / "jets.h5")
    assert_same(load_sample(tmp_path / "deep" / "jets.h5"), sample)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["jets.h5"]
    with h5py.File(tmp_path / "deep" / "jets.h5") as file:
        assert tuple(file["labels"].attrs["classes"]) == CLASSES
        assert tuple(file["high_level"].attrs["features"]) == HIGH_LEVEL_FEATURES
        assert tuple(file["constituents"].attrs["units"]) == ("GeV", "1", "rad")


@pytest.mark.parametrize("absent", [(), ("constituents",), ("high_level", "jet")])
def test_a_sample_survives_parquet_which_states_order_and_units(tmp_path: Path, absent: tuple[str, ...]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the physics extra")
    sample = random_sample(30)
    parts = {name: getattr(sample, name) for name in PARTS}
    parts |= {name: parts[name][:, :0] for name in absent}
    parts["jet"][:3] = np.nan  # a quantity that the source lacks
    sample = JetSample(**parts)
    path = tmp_path / "deep" / "jets.parquet"
    save_sample(sample, path)
    assert_same(load_sample(path), sample)
    assert [p.name for p in path.parent.iterdir()] == ["jets.parquet"]
    table = parquet.read_table(path)
    assert table["class"].to_pylist() == [CLASSES[label] for label in sample.labels]
    assert table.schema.metadata[b"classes"] == b'["g", "q", "W", "Z", "t"]'
    units = {f.name: f.metadata[b"unit"].decode() for f in table.schema if f.name != "class"}
    known = {"constituent_pt": "GeV", "constituent_phi_rel": "rad", "mass_mmdt": "GeV", "zlogz": "1", "jet_phi": "rad"}
    assert units == units | {name: unit for name, unit in known.items() if name in units}
    assert len(units) == 3 * (not absent or "high_level" in absent) + (16 + 4) * ("high_level" not in absent)


def test_classes_of_parquet_are_names_whatever_their_codes(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs the physics extra")
    from pyarrow import parquet

    path = tmp_path / "jets.parquet"
    save_sample(random_sample(30), path)
    table = parquet.read_table(path)
    names = pyarrow.array(["t", "Z", "w"] * 10)
    parquet.write_table(table.set_column(0, "class", names), path)
    assert load_sample(path).labels.tolist() == [4, 3, 2] * 10


@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "text", "other parquet", "column gone", "class unknown"])
def test_a_damaged_parquet_file_is_named(tmp_path: Path, damage: str) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs the physics extra")
    from pyarrow import parquet

    path = tmp_path / "jets.parquet"
    if damage != "absent":
        save_sample(random_sample(30), path)
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "text":
        path.write_text("g,q,w,z,t")
    elif damage == "other parquet":
        parquet.write_table(pyarrow.table({"class": ["g"]}), path)
    elif damage == "column gone":
        parquet.write_table(parquet.read_table(path).drop_columns(["zlogz"]), path)
    elif damage == "class unknown":
        table = parquet.read_table(path)
        parquet.write_table(table.set_column(0, "class", pyarrow.array(["b"] * 30)), path)
    with pytest.raises(SampleFileError, match=r"jets\.parquet") as caught:
        load_sample(path)
    assert caught.value.remedy


def test_only_our_own_hdf5_is_taken_for_a_sample(tmp_path: Path) -> None:
    save_sample(random_sample(3), tmp_path / "ours.h5")
    with h5py.File(tmp_path / "public.h5", "w") as file:
        file["jets"] = [1]
    (tmp_path / "text.h5").write_text("no")
    found = [is_sample_file(tmp_path / f"{name}.h5") for name in ("ours", "public", "text", "nothing")]
    assert found == [True, False, False, False]


def test_labels_stored_in_another_order_are_mapped_by_name(tmp_path: Path) -> None:
    path = tmp_path / "jets.h5"
    sample = random_sample(50)
    save_sample(sample, path)
    with h5py.File(path, "r+") as file:
        file["labels"][...] = np.array([0, 1, 3, 4, 2], np.int8)[sample.labels]
        file["labels"].attrs["classes"] = ["g", "q", "t", "w", "z"]
    assert_same(load_sample(path), sample)


@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "text", "other hdf5", "features renamed"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "jets.h5"
    if damage != "absent":
        save_sample(random_sample(30), path)
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "text":
        path.write_text("g,q,w,z,t")
    elif damage == "other hdf5":
        with h5py.File(path, "w") as file:
            file["labels"] = [1, 2]
    elif damage == "features renamed":
        with h5py.File(path, "r+") as file:
            file["jet"].attrs["features"] = ["eta", "pt", "phi", "mass"]
    with pytest.raises(SampleFileError, match=r"jets\.h5") as caught:
        load_sample(path)
    assert caught.value.path == path
    assert caught.value.remedy


def test_parts_that_do_not_fit_are_refused() -> None:
    sample = random_sample(4)
    with pytest.raises(SampleError, match="constituents: expected"):
        JetSample(sample.labels, sample.constituents[:3], sample.high_level, sample.jet)
    with pytest.raises(SampleError, match=r"labels: expected 0\.\.4"):
        JetSample(np.array([0, 1, 2, 5], np.int8), sample.constituents, sample.high_level, sample.jet)
    with pytest.raises(SampleError, match="float32"):
        JetSample(sample.labels, sample.constituents, sample.high_level.astype(np.float64), sample.jet)
    with pytest.raises(SampleError, match="differ in shape"):
        concatenate([sample, JetSample(sample.labels, sample.constituents[:, :8], sample.high_level, sample.jet)])
    with pytest.raises(FrozenInstanceError):
        sample.labels = sample.labels  # type: ignore[misc]


def test_classes_by_name() -> None:
    assert [class_index(name) for name in ("g", "j_q", "w", "'Z'", "T")] == [0, 1, 2, 3, 4]
    with pytest.raises(UnknownClassError, match="unknown jet class 'b'"):
        class_index("b")
    one_hot = np.eye(5)
    assert labels_from_one_hot(one_hot, ("g", "q", "t", "w", "z")).tolist() == [0, 1, 4, 2, 3]
    with pytest.raises(SampleError, match="once"):
        labels_from_one_hot(one_hot, ("g", "q", "t", "w", "w"))
    with pytest.raises(SampleError, match="row 2 is not one-hot"):
        labels_from_one_hot(np.where(np.arange(5)[:, None] == 2, 0.5, one_hot), CLASSES)


def test_the_plan_is_equal_parts_in_chunks_with_their_own_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "JETS_PER_CHUNK", 10)
    chunks = list(plan(113, seed=4))
    jets = {name: sum(count for other, count, _ in chunks if other == name) for name in CLASSES}
    assert list(jets.values()) == [23, 23, 23, 22, 22]
    assert len({seed for *_, seed in chunks}) == len(chunks)
    # A larger production uses the full chunks of a smaller one again.
    assert {chunk for chunk in chunks if chunk[1] == 10} <= set(plan(300, seed=4))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Chunks of 4 jets from a stand-in generator; the list tells which were generated."""
    calls: list[tuple[str, int]] = []

    def stand_in(name: str, jets: int, seed: int, settings: object) -> JetSample:
        calls.append((name, jets))
        return random_sample(jets, seed % 2**32, class_index(name))

    monkeypatch.setattr(dataset, "generate_chunk", stand_in)
    monkeypatch.setattr(dataset, "JETS_PER_CHUNK", 4)
    return calls


def test_production_counts_and_shuffles(tmp_path: Path, counted: list[tuple[str, int]]) -> None:
    progress: list[tuple[int, int]] = []
    sample = produce(tmp_path, 27, seed=1, workers=1, progress=lambda done, total: progress.append((done, total)))
    assert np.bincount(sample.labels).tolist() == [6, 6, 5, 5, 5]
    assert (np.diff(sample.labels) < 0).any()
    assert progress[0] == (0, 27)
    assert progress[-1] == (27, 27)
    assert len(counted) == len(list(tmp_path.glob("jets-*.h5"))) == 10


def test_finished_chunks_are_not_generated_again(tmp_path: Path, counted: list[tuple[str, int]]) -> None:
    first = produce(tmp_path, 27, seed=1, workers=1)
    counted.clear()
    assert_same(produce(tmp_path, 27, seed=1, workers=1), first)
    assert counted == []
    assert produce(tmp_path, 27, seed=2, workers=1).jet[0, 0] != first.jet[0, 0]
    assert len(counted) == 10


@pytest.mark.parametrize("damage", ["deleted", "truncated", "other class", "half-written"])
def test_production_resumes(tmp_path: Path, counted: list[tuple[str, int]], damage: str) -> None:
    first = produce(tmp_path, 27, seed=1, workers=1)
    counted.clear()
    chunk = sorted(tmp_path.glob("jets-W-*.h5"))[0]
    if damage == "other class":
        chunk.write_bytes(sorted(tmp_path.glob("jets-Z-*.h5"))[0].read_bytes())
    else:
        content = chunk.read_bytes()
        chunk.unlink()
        if damage == "truncated":
            chunk.write_bytes(content[: len(content) // 2])
        elif damage == "half-written":
            chunk.with_name(f".{chunk.stem}-x1y2.h5").write_bytes(content[:1000])
    assert_same(produce(tmp_path, 27, seed=1, workers=1), first)
    assert [name for name, _ in counted] == ["W"]


def test_no_jets_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="at least 1"):
        produce(tmp_path, 0, seed=1)


@pytest.mark.physics
def test_workers_do_not_change_the_sample(tmp_path: Path) -> None:
    for package in ("pythia8mc", "fastjet", "awkward", "numba"):
        pytest.importorskip(package, reason="needs the physics extra")
    alone = produce(tmp_path / "one", 12, seed=3, workers=1)
    together = produce(tmp_path / "two", 12, seed=3, workers=2)
    assert_same(together, alone)


def test_importing_the_data_side_needs_no_physics_package() -> None:
    names = ("pythia8mc", "fastjet", "awkward", "numba", "h5py", "pyarrow", "tensorflow")
    code = (
        "import sys\n"
        "import models.jet_tagger, models.jet_tagger.dataset, models.jet_tagger.features\n"
        "import models.jet_tagger.public_files, models.jet_tagger.generator\n"
        f"sys.exit(sum(name in sys.modules for name in {names!r}))\n"
    )
    root = Path(dataset.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0

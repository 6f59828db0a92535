"""Model sources: data types, loading, fingerprints of their code."""

import sys
from pathlib import Path

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.errors import InputError
from firmware_flows.model_source import ModelSourceError, load_model_source

SOURCE = """
from pydantic import BaseModel
class DataOptions(BaseModel, extra="forbid"): ...
class NetworkOptions(BaseModel, extra="forbid"): ...
def load_data(options, directory, seed, progress): ...
def build_network(options, dataset, seed): ...
def evaluate(test, outputs, directory): ...
"""


def _dataset(events: int = 6) -> ff.Dataset:
    x = np.arange(events * 3, dtype=np.float64).reshape(events, 3)
    split = ff.Split(x, np.arange(events) % 2)
    return ff.Dataset(split, split, split, {"classes": ["a", "b"]})


def test_a_data_set_survives_its_file(tmp_path: Path) -> None:
    _dataset().save(tmp_path / "d.npz")
    loaded = ff.Dataset.load(tmp_path / "d.npz")
    assert loaded.train.x.dtype == np.float32
    np.testing.assert_array_equal(loaded.test.x, _dataset().test.x)
    assert loaded.metadata == {"classes": ["a", "b"]}
    assert loaded.event_shape == (3,)
    _dataset().save(tmp_path / "again.npz")
    assert (tmp_path / "d.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text"])
def test_a_damaged_data_set_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "d.npz").write_bytes(content)
    with pytest.raises(InputError, match="not a readable data set"):
        ff.Dataset.load(tmp_path / "d.npz")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_events_must_be_finite(bad: float) -> None:
    x = np.zeros((4, 2))
    x[2, 1] = bad
    with pytest.raises(InputError, match="first in event 2"):
        ff.Split(x, np.zeros(4))


def test_shapes_must_fit() -> None:
    with pytest.raises(InputError, match="4 events and y 3"):
        ff.Split(np.zeros((4, 2)), np.zeros(3))
    with pytest.raises(InputError, match="wanted"):
        ff.Split(np.zeros(4), np.zeros(4))
    two, three = (ff.Split(np.zeros((4, n)), np.zeros(4)) for n in (2, 3))
    with pytest.raises(InputError, match="differ in the shape"):
        ff.Dataset(two, two, three)
    with pytest.raises(InputError, match="not JSON"):
        ff.Dataset(two, two, two, {"a": np.zeros(2)})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("def evaluate", "def evaluat", r"defines no evaluate \(did you mean 'evaluat'\?\)"),
        ('class DataOptions(BaseModel, extra="forbid")', "class DataOptions(BaseModel)", 'extra="forbid"'),
        ('class DataOptions(BaseModel, extra="forbid")', "class DataOptions", "derived from pydantic"),
        ("def build_network(options", "build_network = 3\ndef other(options", "build_network is not a function"),
        ("def load_data", "def load_data(((", "is not valid Python"),
        ("from pydantic", "import no_such_thing\nfrom pydantic", "ModuleNotFoundError"),
        ("from pydantic", "raise RuntimeError('why')\nfrom pydantic", r"RuntimeError: why \(.*line 2\)"),
    ],
)
def test_a_bad_source_is_one_clear_sentence(tmp_path: Path, old: str, new: str, expected: str) -> None:
    (tmp_path / "bad_source.py").write_text(SOURCE.replace(old, new))
    with pytest.raises(ModelSourceError, match=expected):
        load_model_source("bad_source.py", tmp_path)


@pytest.mark.parametrize("function", ["load_data", "build_network", "evaluate"])
def test_a_mistake_in_the_sources_own_code_is_told_with_its_line(tmp_path: Path, function: str) -> None:
    broken = SOURCE.replace(f"def {function}(", f"import json\ndef {function}(", 1)
    head, tail = broken.split(f"def {function}(", 1)
    signature, rest = tail.split("...\n", 1)
    (tmp_path / "broken.py").write_text(f"{head}def {function}({signature}\n    json.loads('nothing')\n{rest}")
    source = load_model_source("broken.py", tmp_path)
    call = {
        "load_data": lambda: source.load_data(source.data_options(), tmp_path, 1, lambda *_: None),
        "build_network": lambda: source.build_network(source.network_options(), _dataset(), 1),
        "evaluate": lambda: source.evaluate(_dataset().test, {}, tmp_path),
    }
    with pytest.raises(ModelSourceError, match=rf"{function} fails: JSONDecodeError: .*broken\.py, line \d+\)"):
        call[function]()


def test_a_file_may_import_its_neighbours_and_is_fingerprinted_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "neighbour_of_source.py").write_text("N = 1\n")
    (tmp_path / "stranger.py").write_text("N = 1\n")
    (tmp_path / "with_neighbour.py").write_text(SOURCE + "\nimport neighbour_of_source\n")
    source = load_model_source("with_neighbour.py", tmp_path)
    before = source.fingerprint("load_data")
    (tmp_path / "stranger.py").write_text("N = 2\n")
    assert source.fingerprint("load_data") == before
    (tmp_path / "neighbour_of_source.py").write_text("N = 2\n")
    assert source.fingerprint("load_data") != before


def test_in_a_package_only_what_a_function_imports_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "some_package_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from .data import DataOptions, load_data\nfrom .rest import NetworkOptions, build_network, evaluate\n"
    )
    head = "from pydantic import BaseModel\n"
    (package / "data.py").write_text(
        head + 'from . import geometry\nclass DataOptions(BaseModel, extra="forbid"): ...\n'
        "def load_data(options, directory, seed, progress): ...\n"
    )
    (package / "geometry.py").write_text("R = 1\n")
    (package / "rest.py").write_text(
        head + 'class NetworkOptions(BaseModel, extra="forbid"): ...\n'
        "def build_network(options, dataset, seed): ...\ndef evaluate(test, outputs, directory): ...\n"
    )
    source = load_model_source("some_package_of_mine", tmp_path)
    data, rest = source.fingerprint("load_data"), source.fingerprint("evaluate")
    (package / "rest.py").write_text((package / "rest.py").read_text() + "# changed\n")
    assert source.fingerprint("load_data") == data
    assert source.fingerprint("evaluate") != rest
    (package / "geometry.py").write_text("R = 2\n")
    assert source.fingerprint("load_data") != data


def test_wrong_returns_are_told(tmp_path: Path) -> None:
    (tmp_path / "returns_none.py").write_text(SOURCE)
    source = load_model_source("returns_none.py", tmp_path)
    with pytest.raises(ModelSourceError, match=r"load_data returned NoneType; wanted firmware_flows\.Dataset"):
        source.load_data(source.data_options(), tmp_path, 1, lambda step, done, total: None)

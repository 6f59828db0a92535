"""Recipes: what is read, and what every kind of mistake says."""

from pathlib import Path
from textwrap import dedent
from typing import get_args

import pytest

from firmware_flows.errors import FirmwareFlowsError
from firmware_flows.hls import BACKENDS, IO_TYPES, STRATEGIES
from firmware_flows.recipe import Recipe, RecipeError, load_recipe
from firmware_flows.recipe_schema import HlsSettings

SOURCE = """
from pydantic import BaseModel
import firmware_flows as ff

class DataOptions(BaseModel, extra="forbid"):
    events: int = 100
    noise: float = 0.1

class NetworkOptions(BaseModel, extra="forbid"):
    units: int = 8

def load_data(options, directory, seed, progress): ...
def build_network(options, dataset, seed): ...
def evaluate(test, outputs, directory): ...
"""

RECIPE = """
name: example
model: source.py
data:
  events: 50
network:
  units: 4
training:
  epochs: 2
  learning_rate: 1e-3
hls:
  clock_mhz: 240
floors:
  bit-accurate.accuracy: 0.5
"""


@pytest.fixture
def write(tmp_path: Path):
    (tmp_path / "source.py").write_text(SOURCE)

    def write(text: str) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(dedent(text))
        return path

    return write


def test_a_recipe_is_read_with_its_sections(write) -> None:
    recipe = load_recipe(write(RECIPE))
    assert isinstance(recipe, Recipe)
    assert recipe.data_options.model_dump() == {"events": 50, "noise": 0.1}
    assert recipe.network_options.model_dump() == {"units": 4}
    assert recipe.training.learning_rate == 1e-3  # type: ignore[attr-defined]
    assert recipe.hls.clock_mhz == 240
    assert not recipe.float_reference
    assert recipe.to_dict()["data"] == {"events": 50, "noise": 0.1}


def test_an_empty_section_has_its_defaults(write) -> None:
    assert load_recipe(write("name: a\nmodel: source.py\nhls:\ndata:\n")).hls.backend == "Vitis"


def test_a_float_reference_is_the_default_where_the_source_has_one(write, tmp_path: Path) -> None:
    (tmp_path / "with_float.py").write_text(SOURCE + "\ndef float_network(options, dataset, seed): ...\n")
    assert load_recipe(write("name: a\nmodel: with_float.py\n")).float_reference
    assert not load_recipe(write("name: a\nmodel: with_float.py\ntraining: {float_reference: false}\n")).float_reference


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("events: 50", "evnets: 50", "line 5: data.evnets: unknown key; did you mean 'events'?"),
        ("events: 50", "events: many", "line 5: data.events: wanted a valid integer"),
        ("units: 4", "unit: 4", "line 7: network.unit: unknown key; did you mean 'units'?"),
        ("epochs: 2", "epoch: 2", "line 9: training.epoch: unknown key; did you mean 'epochs'?"),
        ("epochs: 2", "epochs: 0", "line 9: training.epochs: wanted greater than or equal to 1, not 0"),
        ("epochs: 2", "float_referenc: true", "training.float_referenc: unknown key; did you mean 'float_reference'?"),
        ("epochs: 2", "float_reference: true", "defines no float_network"),
        ("epochs: 2", "float_reference: 3", "training.float_reference: wanted true or false, not 3"),
        ("hls:", "hsl:", "line 11: hsl: unknown key; did you mean 'hls'?"),
        ("clock_mhz: 240", "clock_mhz: fast", "line 12: hls.clock_mhz: wanted a valid number"),
        ("clock_mhz: 240", "backend: vitis", "not 'vitis'; did you mean 'Vitis'?"),
        ("clock_mhz: 240", "reuse_factor: 0", "line 12: hls.reuse_factor: wanted a whole number of at least 1"),
        ("clock_mhz: 240", "reuse_factor: {dense: x}", "line 12: hls.reuse_factor: wanted a whole number"),
        ("clock_mhz: 240", "target: X2O", "line 12: hls.target: it is a board, and tools want a part number"),
        ("name: example", "name: x\nbudget: {name: jet-featurs}", "line 3: budget.name: 'jet-featurs' is no budget"),
        ("name: example", "name: ../up", "line 2: name: wanted letters, digits"),
        ("name: example", "description: x", "name: this key is required and missing"),
        ("name: example", "name: x\ninput_type: 'ap_fixd<8,3>'", "line 3: input_type: not a fixed-point type"),
        ("bit-accurate.accuracy", "bit-acurate.accuracy", "did you mean 'bit-accurate'?"),
        ("bit-accurate.accuracy", "accuracy", "'accuracy' is not form.metric"),
        ("name: example", "name: x\nmax_loss: {accuracy: 0.1}", "does not train"),
        ("source.py", "sorce.py", "does not exist; did you mean 'source.py'?"),
        ("source.py", "no_such_package.module", "no Python module 'no_such_package' is installed"),
        ("events: 50", "events: 50\n  events: 60", "line 6: key 'events' is given twice (first on line 5)"),
        ("events: 50", "events: [50", "not valid YAML"),
        ("events: 50", "events: 50\n  ? [1]\n  : 2", "a key must be a word or a number"),
        ("data:\n  events: 50", "data: 5", "line 4: data: wanted a section of keys and values, not 5"),
        ("clock_mhz: 240", "clock_mhz: 240\nrtl: true", "line 13: rtl: wanted a section of keys and values, not True"),
        (
            "clock_mhz: 240",
            "clock_mhz: 240\nrtl:\nsynthesize: {tools: yosys}",
            "synthesize.tools: wanted a list in brackets, [...], not 'yosys'",
        ),
        (
            "clock_mhz: 240",
            "clock_mhz: 240\nrtl:\nsynthesize: {tools: [yosis]}",
            "line 14: synthesize.tools.0: wanted 'auto', 'yosys', 'nextpnr', 'vivado', 'quartus' or 'vitis', "
            "not 'yosis'; did you mean 'yosys'?",
        ),
        (
            "clock_mhz: 240",
            "clock_mhz: 240\nrtl:\nsynthesize: {family: xcuq}",
            "line 14: synthesize.family: wanted 'xc7'",
        ),
        ("clock_mhz: 240", "clock_mhz: 240\nrtl:\nsynthesize: {device: LFE5U-12F}", "did you mean 'LFE5U-25F'?"),
        ("clock_mhz: 240", "clock_mhz: 240\nsynthesize:", "synthesize needs RTL: add the section rtl"),
        ("accuracy: 0.5", "accuracy: .nan", "line 14: floors.bit-accurate.accuracy: wanted a finite number, not nan"),
    ],
)
def test_each_mistake_is_one_clear_sentence(write, old: str, new: str, expected: str) -> None:
    assert old in RECIPE
    path = write(RECIPE.replace(old, new))
    with pytest.raises(FirmwareFlowsError) as caught:
        load_recipe(path)
    assert expected in str(caught.value)
    assert "recipe.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_beside_the_recipe_is_suggested(write, tmp_path: Path) -> None:
    (tmp_path / "only_beside.py").write_text(SOURCE)
    with pytest.raises(RecipeError, match="write `model: only_beside"):
        load_recipe(write("name: a\nmodel: only_beside\n"))


def test_several_mistakes_are_told_at_once_in_the_order_of_the_file(write) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write("nmae: a\nmodel: source.py\nseed: -1\n"))
    assert [p.keys for p in caught.value.problems] == [("name",), ("nmae",), ("seed",)]
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(("content", "expected"), [("", "mapping"), ("- 1\n", "mapping"), ("just text", "mapping")])
def test_what_is_not_a_mapping_is_no_recipe(write, content: str, expected: str) -> None:
    with pytest.raises(RecipeError, match=expected):
        load_recipe(write(content))


def test_missing_folder_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(FirmwareFlowsError, match="does not exist"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(FirmwareFlowsError, match="is a folder"):
        load_recipe(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FirmwareFlowsError, match="not a text file"):
        load_recipe(tmp_path / "binary.yaml")


def test_the_choices_are_those_of_the_hls_package() -> None:
    fields = HlsSettings.model_fields
    assert get_args(fields["backend"].annotation) == BACKENDS
    assert get_args(fields["io"].annotation) == IO_TYPES
    assert get_args(fields["strategy"].annotation) == STRATEGIES


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "models").glob("*/*.yaml")), ids=lambda p: p.stem)
def test_the_reference_recipes_are_valid(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.settings.description
    assert recipe.settings.floors
    # a part as the vendors' tools name it: device, package, speed grade
    assert recipe.hls.target == "xcvu13p-flga2577-2-e"

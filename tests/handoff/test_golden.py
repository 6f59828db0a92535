"""Golden vectors: exact answers, and files that say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.handoff.golden import golden_vectors, hex_lines, read_hex, write_hex, write_tb_data
from firmware_flows.program import Program


@pytest.fixture(scope="module")
def program() -> Program:
    b = Builder("two ports")
    values = []
    for name, t in (("a", FixedPoint(7, 3)), ("b", FixedPoint(5, 2, signed=False))):
        b.begin_layer(name, "Input")
        values.append(b.input(name, (3,), t))
        b.end_layer(values[-1])
    b.begin_layer("y", "Merge", ["a", "b"])
    y = b.combine("multiply", *values)
    b.end_layer(y)
    return b.build({"y": y})


def test_answers_are_those_of_the_program_and_groups_are_counted(program: Program) -> None:
    x = (np.full((4, 3), 0.3, np.float32), np.full((4, 3), 9.0, np.float32))
    golden = golden_vectors(program, x, random_events=50)
    assert golden.groups["data"] == 4
    assert golden.groups["random"] == 50
    assert golden.events == sum(golden.groups.values()) > 100
    np.testing.assert_array_equal(golden.values()[0], ff.emulate(program, tuple(golden.inputs)))
    np.testing.assert_array_equal(golden.mantissas[1][:4], 72 % 32)  # beyond the range, and the type wraps
    other = golden_vectors(program, x, random_events=50)
    np.testing.assert_array_equal(golden.outputs[0], other.outputs[0])


def test_hex_holds_the_bits_from_the_lowest_element(program: Program) -> None:
    port = golden_vectors(program).ports[0][0]
    assert port.width == 21
    line = hex_lines(port, np.array([[1, -1, 2]]))
    assert line == [f"{1 | 0x7F << 7 | 2 << 14:06x}"]
    np.testing.assert_array_equal(read_hex(port, "\n".join(line)), [[1, -1, 2]])
    with pytest.raises(InputError, match="line 2 of 'a': '12' is no word of 21 bits"):
        read_hex(port, "000001\n12\n")


def test_files_say_what_the_arrays_do(program: Program, tmp_path: Path) -> None:
    golden = golden_vectors(program, random_events=20)
    files = {p.name: p.read_text() for p in [*write_hex(golden, tmp_path), *write_tb_data(golden, tmp_path)]}
    assert sorted(files) == [
        "inputs_a.hex", "inputs_b.hex", "outputs_y.hex", "tb_input_features.dat", "tb_output_predictions.dat",
    ]  # fmt: skip
    (a, b), (y,) = golden.ports
    for port, array in ((a, golden.mantissas[0]), (b, golden.mantissas[1]), (y, golden.outputs[0])):
        side = "outputs" if port is y else "inputs"
        np.testing.assert_array_equal(read_hex(port, files[f"{side}_{port.name}.hex"]), array)
    rows = np.array([line.split() for line in files["tb_input_features.dat"].splitlines()], np.float64)
    np.testing.assert_array_equal(rows, np.concatenate(golden.inputs, axis=1))

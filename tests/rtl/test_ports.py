"""Words of the ports, and names that both languages allow."""

from __future__ import annotations

import numpy as np
import pytest
from rtl_programs import Net

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.rtl.errors import RtlError
from firmware_flows.rtl.ports import Port, identifier, ports_of


@pytest.mark.parametrize("t", [FixedPoint(7, 3), FixedPoint(13, 2, False), FixedPoint(1, 1, False), FixedPoint(64, 9)])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4)])
def test_words_hold_the_mantissas(t: FixedPoint, shape: tuple[int, ...]) -> None:
    port = Port("x", "input", "x", shape, t)
    rng = np.random.default_rng(1)
    values = rng.integers(t.minimum, t.maximum, (50, *shape), endpoint=True)
    words = port.pack(values)
    assert words.shape == (50, port.words)
    assert np.array_equal(port.unpack(words), values)
    # the same, bit by bit, as a large integer
    whole = [sum(int(word) << 32 * k for k, word in enumerate(row)) for row in words]
    for number, row in zip(whole, values.reshape(50, -1), strict=True):
        fields = [(number >> f.offset) & ((1 << f.width) - 1) for f in port.fields]
        assert fields == [int(v) & ((1 << t.width) - 1) for v in row]


def test_values_and_shapes_outside_the_port_are_refused() -> None:
    port = Port("x", "input", "x", (2,), FixedPoint(4, 4))
    with pytest.raises(ValueError, match="8 to 8"):
        port.pack(np.full((1, 2), 8))
    with pytest.raises(ValueError, match="shape"):
        port.pack(np.zeros((1, 3), int))


def test_names_become_identifiers_once() -> None:
    taken = {"clk"}
    names = ["x", "X", "clk", "2nd jet", "signal", "a__b", "-", "Größe"]
    assert [identifier(name, taken) for name in names] == [
        "x", "X_2", "clk_2", "p_2nd_jet", "signal_port", "a_b", "port_port", "Gr_e"
    ]  # fmt: skip


def test_an_element_wider_than_64_bits_is_refused() -> None:
    net = Net()
    x = net.input("x", (2,), FixedPoint(70, 20))
    with pytest.raises(RtlError, match="do not fit an int64"):
        ports_of(net.build(net.cast(x, FixedPoint(8, 4))))

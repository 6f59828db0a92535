"""Packing functions into LUT sites: each rule by itself."""

from __future__ import annotations

from typing import Any

from firmware_flows.synthesis.packing import Packing, pack

Cell = dict[str, Any]


def lut(output: int, *inputs: int | str) -> Cell:
    names = [f"I{k}" for k in range(len(inputs))]
    return {
        "type": f"LUT{len(inputs)}",
        "connections": {"O": [output], **{n: [i] for n, i in zip(names, inputs, strict=True)}},
    }


def carry(select: list[int | str], total: list[int]) -> Cell:
    wires = {"S": select, "DI": ["0"] * 4, "O": total, "CO": [t + 100 for t in total], "CI": ["0"], "CYINIT": ["0"]}
    return {"type": "CARRY4", "connections": wires}


def flip_flop(data: int, output: int) -> Cell:
    return {"type": "FDRE", "connections": {"C": [1], "CE": ["1"], "D": [data], "Q": [output], "R": ["0"]}}


def packed(*cells: Cell) -> Packing:
    return pack({f"cell{k}": cell for k, cell in enumerate(cells)})


def test_two_functions_of_together_five_inputs_share_a_site() -> None:
    assert packed(lut(50, 2, 3, 4), lut(51, 4, 5, 6)).sites == 1
    assert packed(lut(50, 2, 3, 4), lut(51, 4, 5, 6, 7)).sites == 2
    assert packed(lut(50, 2, 3, 4, 5, 6), lut(51, 6, 5, 4, 3, 2)).sites == 1
    assert packed(lut(50, 2, 3, 4, 5, 6, 7), lut(51, 2, 3)).sites == 2


def test_designs_of_a_known_size() -> None:
    """Functions of six inputs fill a site each; pairs of five inputs in all share one, pairs of six do not."""
    places = range(8)
    six = [lut(500 + k, *range(10 * k + 2, 10 * k + 8)) for k in places]
    same = [lut(600 + 8 * h + k, *range(10 * k + 2, 10 * k + 7)) for k in places for h in (0, 1)]
    five = [lut(700 + 8 * h + k, *range(10 * k + 2 + 2 * h, 10 * k + 5 + 2 * h)) for k in places for h in (0, 1)]
    too_many = [lut(800 + 8 * h + k, *range(10 * k + 2 + 2 * h, 10 * k + 6 + 2 * h)) for k in places for h in (0, 1)]
    assert packed(*six) == Packing(8, 0, 0)
    assert packed(*same) == Packing(16, 8, 0)
    assert packed(*five) == Packing(16, 8, 0)
    assert packed(*too_many) == Packing(16, 0, 0)


def test_constants_are_no_inputs_and_strangers_are_no_pair() -> None:
    assert packed(lut(50, 2, 3, 4, "0", "1"), lut(51, 4, 5, 6)).sites == 1
    assert packed(lut(50, 2, 3), lut(51, 4, 5)).sites == 2


def test_each_function_is_in_one_pair_only_and_the_matching_is_not_fooled_by_a_star() -> None:
    assert packed(*(lut(50 + k, 2, 3) for k in range(5))) == Packing(5, 2, 0)
    # a path of four: taking the middle pair first would leave the ends alone
    path = packed(lut(50, 2, 3, 4), lut(51, 4, 5, 6), lut(52, 6, 7, 8), lut(53, 8, 9, 10))
    assert path == Packing(4, 2, 0)


def test_two_that_select_carries_are_no_pair_but_one_and_a_stranger_to_carries_are() -> None:
    chain = carry([50, 51, "0", "0"], [60, 61, 62, 63])
    registers = (flip_flop(60, 70), flip_flop(61, 71))
    assert packed(lut(50, 2, 3), lut(51, 2, 3), chain, *registers) == Packing(2, 0, 0)
    assert packed(lut(50, 2, 3), lut(51, 2, 3), lut(52, 2, 3), chain, *registers) == Packing(3, 1, 0)


def test_a_sum_that_leaves_into_logic_takes_the_second_exit() -> None:
    chain = carry([50, "0", "0", "0"], [60, 61, 62, 63])
    both = (lut(50, 2, 3), lut(52, 2, 3), chain)
    assert packed(*both, flip_flop(60, 70)) == Packing(2, 1, 0)
    assert packed(*both, lut(53, 60, 9)) == Packing(3, 0, 0)


def test_a_select_without_a_function_of_its_own_takes_a_site() -> None:
    assert packed(carry([9, "0", "0", "0"], [60, 61, 62, 63])) == Packing(0, 0, 1)
    assert packed(carry([9, "0", "0", "0"], [60, 61, 62, 63])).sites == 1
    # one function that selects two carries: the second needs a copy
    assert packed(lut(50, 2, 3), carry([50, 50, "0", "0"], [60, 61, 62, 63])) == Packing(1, 0, 1)


def test_what_feeds_a_wide_multiplexer_leaves_by_o6() -> None:
    wide = {"type": "MUXF7", "connections": {"I0": [50], "I1": [51], "S": [9], "O": [80]}}
    assert packed(lut(50, 2, 3), lut(51, 2, 3), wide).sites == 2

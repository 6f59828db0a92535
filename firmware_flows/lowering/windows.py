"""Windows that slide over positions: sizes, padding, and index arrays for `Rearrange` (im2col).

Positions are the leading axes of a value (height and width, or width alone), channels its last axis. An index of -1
stands for a position outside, which becomes the fill of the Rearrange. Sizes and padding are TensorFlow's:
`same` gives ceil(size / stride) results, with the odd position of padding behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_flows.program import IntegerArray

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Windows:
    """A kernel sliding over positions; every field has one entry an axis, `padding` is (before, after)."""

    positions: Sizes
    kernel: Sizes
    strides: Sizes
    dilation: Sizes
    padding: tuple[tuple[int, int], ...]

    @property
    def results(self) -> Sizes:
        """How many windows there are along each axis."""
        spans = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        return tuple(
            (n + before + after - span) // s + 1
            for n, (before, after), span, s in zip(self.positions, self.padding, spans, self.strides, strict=True)
        )

    def indices(self, channels: int) -> IntegerArray:
        """Shape (*results, elements of the kernel, channels): where each comes from, in C order, or -1."""
        flat = np.zeros((1, 1), dtype=np.int64)
        inside = np.ones((1, 1), dtype=np.int64)
        for axis, size in enumerate(self.positions):
            along, valid = self._along(axis)
            flat = _outer(flat * size, along)
            inside = _outer(inside, valid, np.multiply)
        picked = np.where(inside == 1, flat, -1)[..., np.newaxis]
        result = np.where(picked >= 0, picked * channels + np.arange(channels), -1)
        return np.asarray(result.reshape(*self.results, -1, channels), dtype=np.int64)

    def covered(self) -> IntegerArray:
        """Positions inside the input that each window covers, shape `results`."""
        return np.asarray((self.indices(1) >= 0).sum(axis=(-2, -1)), dtype=np.int64)

    def _along(self, axis: int) -> tuple[IntegerArray, IntegerArray]:
        """Positions (results, kernel) along one axis, and 1 where they are inside."""
        first = np.arange(self.results[axis]) * self.strides[axis] - self.padding[axis][0]
        at = first[:, np.newaxis] + np.arange(self.kernel[axis]) * self.dilation[axis]
        return at, ((at >= 0) & (at < self.positions[axis])).astype(np.int64)


def windows(
    positions: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilation: Sequence[int], padding: str
) -> Windows:
    """Windows with TensorFlow's padding: 'valid', 'same' or 'causal'. Raises ValueError for another word."""
    pads = [_padding(padding, *sizes) for sizes in zip(positions, kernel, strides, dilation, strict=True)]
    return Windows(_sizes(positions), _sizes(kernel), _sizes(strides), _sizes(dilation), tuple(pads))


def _padding(padding: str, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    span = dilation * (kernel - 1) + 1
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return span - 1, 0
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        return total // 2, total - total // 2
    raise ValueError(f"padding {padding!r} is none of valid, same, causal")


def _sizes(values: Sequence[int]) -> Sizes:
    return tuple(int(v) for v in values)


def _outer(left: IntegerArray, right: IntegerArray, operation: np.ufunc = np.add) -> IntegerArray:
    """Combine (results, kernel) of the axes so far with those of one more axis, both in C order."""
    joined = operation(left[:, np.newaxis, :, np.newaxis], right[np.newaxis, :, np.newaxis, :])
    return np.asarray(joined).reshape(left.shape[0] * right.shape[0], left.shape[1] * right.shape[1])

"""QKeras and Keras networks to Programs: `lower`, and one small file per family of layers.

A new layer needs one function in the file of its family, entered in that file's table; `table.py` gathers them.
"""

from firmware_flows.errors import LoweringError
from firmware_flows.lowering.lower import lower

__all__ = ["LoweringError", "lower"]

"""Names of layers that are safe as C++ identifiers and as keys of hls4ml's attribute dictionaries."""

from __future__ import annotations

import re
from collections.abc import Iterable

# hls4ml keeps a layer's result in the layer's attributes under the layer's own name, and builds C++ names from it:
# a layer called "weight" would overwrite its own weights, one called "input" is refused.
_WORDS = """
    input output name class_name inputs outputs index trace result result_t accum accum_t weight weight_t weight_data
    bias bias_t bias_data scale shift slope slope_t shift_t param param_t param_data table_t table_size n_in n_out
    n_filt n_chan n_elem op axis perm dim activation activ_param data_format target_shape reuse_factor strategy
    target_cycles implementation function_cpp config_cpp include_header pool_op pool_width stride_width pad_left
    pad_right filt_width in_width out_width n_partitions parallelization_factor precision size type
    alignas alignof and asm auto bool break case catch char class const constexpr continue decltype default delete do
    double else enum explicit export extern false float for friend goto if inline int long main mutable namespace new
    noexcept not nullptr nnet operator or private protected public register return short signed sizeof static std
    struct switch template this throw true try typedef typename union unsigned using virtual void volatile while xor
    hls ap_fixed ap_ufixed ap_int ap_uint linear relu dense input_t
"""
RESERVED = frozenset(_WORDS.split())

GENERATED = re.compile(
    r"(layer|config|input|slope|shift|weight|bias|scale|threshold)\d+(_\w*)?|[abstw]\d+|(dw|pw|th|tl)\d+"
)
"""Names that hls4ml makes itself: layer3_out, config3, w3, b3."""


def safe_names(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Every name with an identifier of its own; names differing only in case differ in more afterwards."""
    used = {name.lower() for name in taken}
    result: dict[str, str] = {}
    for name in names:
        base = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "layer"
        base = re.sub(r"_{2,}", "_", base)
        if base[0].isdigit() or base.lower() in RESERVED or GENERATED.fullmatch(base.lower()):
            base = f"l_{base}"
        candidate, number = base, 1
        while candidate.lower() in used:
            number += 1
            candidate = f"{base}_v{number}"
        used.add(candidate.lower())
        result[name] = candidate
    return result

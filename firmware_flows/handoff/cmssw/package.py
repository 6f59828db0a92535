"""A package of emulators with the external-model interface of CMSSW, one shared object a version of a model.

    Makefile  include/hls4ml/emulator.h  host.cpp
    MODEL/MODEL_v0/{MODEL_v0.cpp, NAMESPACE.hpp, vectors.txt, exports.map, Makefile}

Everything of a model lies in a namespace that bears its digest, a shared object shows only the two symbols that are
looked up by name, and nothing is shared: what two models loaded at once compute cannot mix (cmssw issue 44435).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from firmware_flows.emulator import Events, emulate, events_of, finite_float32
from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.handoff.cpp import header_text, namespace_of
from firmware_flows.program import Program

FLAGS = "-std=c++17 -O3 -fPIC -Wall -fno-gnu-unique"

_MAKEFILE = """\
# {name}: needs g++ only. AP_TYPES=DIRECTORY, of ap_fixed.h, adds the interface with ap_fixed (a bundle's HLS project
# has them); EXTRAS=DIRECTORY has another hls4ml/emulator.h.
CXX ?= g++
EXTRAS ?= ../../include
AP_TYPES ?= $(wildcard ../../../hls/firmware/ap_types)
CXXFLAGS = {flags} -I$(EXTRAS) $(if $(AP_TYPES),-DAP_TYPES -isystem $(AP_TYPES) -Wno-maybe-uninitialized)

../../lib64/{name}.so: {name}.cpp {header} exports.map $(EXTRAS)/hls4ml/emulator.h
	@mkdir -p ../../lib64
	$(CXX) $(CXXFLAGS) -shared -Wl,--version-script=exports.map -o $@ {name}.cpp
"""

_EXPORTS = "{ global: create_model; destroy_model; local: *; };\n"

_TOP_MAKEFILE = """\
# make: all models, into lib64/.   make test: all of them loaded at once, compared with their golden vectors.
CXX ?= g++
ALL_VERSIONS = {versions}

all: host $(ALL_VERSIONS:%=lib64/%.so)

lib64/%.so: FORCE
	$(MAKE) -C $(wildcard */$*)

host: host.cpp include/hls4ml/emulator.h
	$(CXX) -std=c++17 -O1 -Wall -Iinclude -o $@ host.cpp -ldl

test: all
	./host {pairs}

clean:
	rm -rf host lib64

.PHONY: all test clean FORCE
"""


@dataclass(frozen=True)
class Model:
    """One version of a model and the events that it is checked on: an array, or one for each input port."""

    name: str
    program: Program
    events: Events
    version: str = "v0"

    @property
    def library(self) -> str:
        """Name of the shared object, without .so."""
        return f"{self.name}_{self.version}"


def write_package(models: Sequence[Model], directory: Path) -> list[Path]:
    """Write the package; returns its files. Raises InputError for names that cannot be those of a library."""
    for model in models:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", model.name) or not re.fullmatch(r"v\d+", model.version):
            raise InputError(f"{model.library!r} names no emulator: letters, digits and _, and v with a number")
        if "inline void emulate(" not in header_text(model.program):
            raise InputError(f"the outputs of {model.name!r} have more than 53 bits, which no double holds")
    texts = {
        "Makefile": _TOP_MAKEFILE.format(
            versions=" ".join(m.library for m in models),
            pairs=" ".join(f"lib64/{m.library} {m.name}/{m.library}/vectors.txt" for m in models),
        ),
        "include/hls4ml/emulator.h": _resource("emulator.h"),
        "host.cpp": _resource("host.cpp"),
    }
    for model in models:
        texts.update({f"{model.name}/{model.library}/{name}": text for name, text in _model(model).items()})
    written = []
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _model(model: Model) -> dict[str, str]:
    program, namespace = model.program, f"{namespace_of(model.program)}_{model.version}"
    header = f"{namespace}.hpp"
    inputs, outputs = len(program.inputs), len(program.outputs)
    ports = {
        "input_ports": ", ".join(f"input_{k}_port" for k in range(inputs)),
        "output_ports": ", ".join(f"output_{k}_port" for k in range(outputs)),
    }
    arguments = {
        kind: ", ".join(
            [f"{kind}_[{k}].data()" for k in range(inputs)] + [f"{kind}_results_[{k}].data()" for k in range(outputs)]
        )
        for kind in ("real", "integer")
    }
    replaced = {
        **ports,
        "model": model.name,
        "version": model.version,
        "namespace": namespace,
        "header": header,
        "inputs": str(inputs),
        "outputs": str(outputs),
        "real_arguments": arguments["real"],
        "integer_arguments": arguments["integer"],
        "input_types": _ap_types(program.inputs[0].type),
        "output_types": _ap_types(program.instructions[program.outputs[0].value].type),
    }
    source = re.sub(r"@(\w+)@", lambda m: replaced[m[1]], _resource("model.cpp"))
    return {
        f"{model.library}.cpp": source,
        header: header_text(program, namespace),
        "exports.map": _EXPORTS,
        "vectors.txt": vectors_text(program, model.events),
        "Makefile": _MAKEFILE.format(name=model.library, header=header, flags=FLAGS),
    }


def vectors_text(program: Program, events: Events) -> str:
    """Golden vectors as hexadecimal floating point: sizes of the ports, then inputs and outputs, an event a line."""
    inputs = [
        finite_float32(x, port.port, 0) for x, port in zip(events_of(program, events), program.inputs, strict=True)
    ]
    results = emulate(program, tuple(inputs) if len(inputs) > 1 else inputs[0])
    outputs = results if isinstance(results, tuple) else (results,)
    flat = [np.asarray(a, np.float64).reshape(len(a), -1) for a in (*inputs, *outputs)]
    sizes = [a.shape[1] for a in flat]
    header = [len(inputs), *sizes[: len(inputs)], len(outputs), *sizes[len(inputs) :]]
    rows = np.concatenate(flat, axis=1).tolist()
    return "\n".join([" ".join(map(str, header)), *(" ".join(v.hex() for v in row) for row in rows)]) + "\n"


def _ap_types(t: FixedPoint) -> str:
    """The type as the HLS project declares it, and the one without rounding that a caller may hold its bits in."""
    return ", ".join(dict.fromkeys([str(t), str(FixedPoint(t.width, t.integer, t.signed))]))


def _resource(name: str) -> str:
    return files("firmware_flows.handoff.cmssw").joinpath(name).read_text(encoding="utf-8")

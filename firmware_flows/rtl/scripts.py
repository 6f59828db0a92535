"""Constraints and build scripts: Vivado (project and out of context) and Quartus.

Paths in them are relative to the script, so that a design can be moved. Vivado takes its files as Tcl lists: a single
path stands in one too, so that it may hold spaces. They were written for Vivado 2019.1 and later
and Quartus Prime 19 and later.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from firmware_flows.rtl.design import Design

INPUT_OUTPUT_NS = 0.1
"""Delay outside the design at its ports: they meet registers on both sides."""


def script_files(design: Design) -> dict[Path, str]:
    """Path relative to the design -> text."""
    return {
        Path("constraints") / f"{design.top}.xdc": _xdc(design),
        Path("constraints") / f"{design.top}.sdc": _sdc(design),
        Path("scripts") / "vivado_out_of_context.tcl": _vivado_out_of_context(design),
        Path("scripts") / "vivado_project.tcl": _vivado_project(design),
        Path("scripts") / "quartus.tcl": _quartus(design),
    }


def _period(design: Design) -> str:
    return f"{1e3 / design.clock_mhz:.3f}"


def _port_patterns(design: Design) -> tuple[str, str]:
    return " ".join(f"{p.name}[*]" for p in design.inputs), " ".join(f"{p.name}[*]" for p in design.outputs)


def _xdc(design: Design) -> str:
    inputs, outputs = _port_patterns(design)
    return f"""# {design.top} alone, at {design.clock_mhz:g} MHz. In a larger firmware the clock is that firmware's.
create_clock -name {design.clock} -period {_period(design)} [get_ports {design.clock}]
set_input_delay -clock {design.clock} {INPUT_OUTPUT_NS} [get_ports {{{inputs}}}]
set_output_delay -clock {design.clock} {INPUT_OUTPUT_NS} [get_ports {{{outputs}}}]
"""


def _sdc(design: Design) -> str:
    inputs, outputs = _port_patterns(design)
    return f"""# {design.top} alone, at {design.clock_mhz:g} MHz
create_clock -name {design.clock} -period {_period(design)} [get_ports {design.clock}]
derive_clock_uncertainty
set_input_delay -clock {design.clock} {INPUT_OUTPUT_NS} [get_ports {{{inputs}}}]
set_output_delay -clock {design.clock} {INPUT_OUTPUT_NS} [get_ports {{{outputs}}}]
"""


def _file_list(sources: Sequence[Path]) -> str:
    return "\n".join(f"    {source.as_posix()}" for source in sources)


def _head(design: Design, tool: str) -> str:
    return f"""# Builds {design.top} with {tool}. Results go to build_{tool.split()[0].lower()} beside `src`.
set root [file normalize [file join [file dirname [info script]] ..]]
set top {design.top}
set part {{{design.target}}}
set sources {{
{_file_list(design.sources)}
}}
"""


def _read(design: Design) -> str:
    command = "read_verilog" if design.language == "verilog" else "read_vhdl -vhdl2008"
    return f"foreach source $sources {{\n    {command} [list [file join $root $source]]\n}}"


_REPORTS = """proc reports {directory stage} {
    report_utilization -file [file join $directory ${stage}_utilization.rpt]
    report_timing_summary -max_paths 10 -file [file join $directory ${stage}_timing_summary.rpt]
}
"""


def _vivado_out_of_context(design: Design) -> str:
    return f"""{_head(design, "Vivado")}
# vivado -mode batch -source scripts/vivado_out_of_context.tcl [-tclargs synthesis]
set build [file join $root build_vivado]
file mkdir $build

{_REPORTS}
{_read(design)}
read_xdc -mode out_of_context [list [file join $root constraints $top.xdc]]

synth_design -top $top -part $part -mode out_of_context
write_checkpoint -force [file join $build ${{top}}_synthesis.dcp]
reports $build synthesis
if {{[info exists argv] && [lindex $argv 0] eq "synthesis"}} {{
    exit 0
}}

opt_design
place_design
phys_opt_design
route_design
phys_opt_design
write_checkpoint -force [file join $build ${{top}}_implementation.dcp]
reports $build implementation
report_route_status -file [file join $build implementation_route_status.rpt]

set slack [get_property SLACK [lindex [get_timing_paths -setup -max_paths 1] 0]]
puts "worst setup slack: $slack ns at {design.clock_mhz:g} MHz"
if {{$slack ne "" && $slack < 0}} {{
    puts "the clock of {design.clock_mhz:g} MHz is not met"
    exit 1
}}
exit 0
"""


def _vivado_project(design: Design) -> str:
    directory = "vectors=[file join $root testbench]"
    more = "-name {xsim.simulate.xsim.more_options} -value"
    suffix, standard, vectors = {
        "verilog": ("sv", "", f'set_property {more} "-testplusarg {directory}" -objects [get_filesets sim_1]'),
        "vhdl": (
            "vhd",
            "set_property file_type {VHDL 2008} [get_files *.vhd]\n",
            f'set_property generic "{directory}" [get_filesets sim_1]',
        ),
    }[design.language]
    return f"""{_head(design, "Vivado")}
# vivado -mode batch -source scripts/vivado_project.tcl   creates the project: open it, or launch its runs
set build [file join $root build_vivado project]
create_project -force $top $build -part $part
set files {{}}
foreach source $sources {{
    lappend files [file join $root $source]
}}
add_files -norecurse $files
add_files -fileset constrs_1 -norecurse [list [file join $root constraints $top.xdc]]
set_property USED_IN {{synthesis implementation out_of_context}} [get_files $top.xdc]
add_files -fileset sim_1 -norecurse [list [file join $root testbench ${{top}}_testbench.{suffix}]]
{standard}set_property top $top [get_filesets sources_1]
set_property top ${{top}}_testbench [get_filesets sim_1]
# the simulator runs elsewhere, and the test bench ends by itself
{vectors}
set_property -name {{xsim.simulate.runtime}} -value {{-all}} -objects [get_filesets sim_1]
set_property -name {{STEPS.SYNTH_DESIGN.ARGS.MORE OPTIONS}} -value {{-mode out_of_context}} -objects [get_runs synth_1]
update_compile_order -fileset sources_1
"""


def _quartus(design: Design) -> str:
    kind = "VERILOG_FILE" if design.language == "verilog" else "VHDL_FILE"
    standard = "" if design.language == "verilog" else "set_global_assignment -name VHDL_INPUT_VERSION VHDL_2008\n"
    pins = "\n".join(
        f"set_instance_assignment -name VIRTUAL_PIN ON -to {{{p.name}[*]}}" for p in (*design.inputs, *design.outputs)
    )
    return f"""{_head(design, "Quartus")}
# quartus_sh -t scripts/quartus.tcl
load_package flow
load_package device
set build [file join $root build_quartus]
file mkdir $build
cd $build
project_new -overwrite -family [lindex [get_part_info -family $part] 0] -part $part $top
set_global_assignment -name TOP_LEVEL_ENTITY $top
{standard}foreach source $sources {{
    set_global_assignment -name {kind} [file join $root $source]
}}
set_global_assignment -name SDC_FILE [file join $root constraints $top.sdc]
set_global_assignment -name OPTIMIZATION_MODE "HIGH PERFORMANCE EFFORT"
# the ports lead to other logic, not to pins
{pins}
export_assignments
execute_flow -compile
project_close
"""

# C simulation, synthesis, RTL co-simulation and export of @top@, with a test bench that fails when a bit differs.
#     vitis-run --mode hls --tcl scripts/hls.tcl      Vitis 2023.2 and later
#     vitis_hls -f scripts/hls.tcl                    Vitis HLS 2020.1 to 2024
#     vivado_hls -f scripts/hls.tcl                   Vivado HLS
# Choose steps with environment variables, for example HLS_COSIM=0. Results go to build_hls beside `hls`.
set root [file normalize [file join [file dirname [info script]] ..]]
source [file join $root hls project.tcl]

array set steps {CSIM 1 SYNTH 1 COSIM 1 EXPORT 1}
foreach step [array names steps] {
    if {[info exists ::env(HLS_$step)]} {
        set steps($step) $::env(HLS_$step)
    }
}

file mkdir [file join $root build_hls]
cd [file join $root build_hls]
open_project -reset ${project_name}_prj
set_top $project_name
add_files [file join $root hls firmware ${project_name}.cpp] -cflags "-std=c++0x"
add_files -tb [file join $root benches hls_top_bench.cpp] -cflags "-std=c++0x"
add_files -tb [file join $root hls firmware weights]
foreach vectors [lsort [glob [file join $root vectors *.hex]]] {
    add_files -tb $vectors
}
open_solution -reset solution1
catch {config_array_partition -maximum_size $maximum_size}
config_compile -name_max_length 80
set_part $part
config_schedule -enable_dsp_full_reg=false
create_clock -period $clock_period -name default
set_clock_uncertainty $clock_uncertainty default

if {$steps(CSIM)} {
    csim_design
}
if {$steps(SYNTH)} {
    csynth_design
}
if {$steps(COSIM)} {
    cosim_design
}
if {$steps(EXPORT)} {
    export_design -format ip_catalog
}
exit

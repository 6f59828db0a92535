"""Reports written by hand in the form of the vendors' tools, where no real one is at hand."""

from __future__ import annotations

TIMING = """\
| Tool Version      : Vivado v.2021.2 (lin64) Build 3367213 Tue Oct 19 02:47:39 MDT 2021
| Command           : report_timing_summary -file timing.rpt

------------------------------------------------------------------------------------------------
| Clock Summary
| -------------
------------------------------------------------------------------------------------------------

Clock  Waveform(ns)         Period(ns)      Frequency(MHz)
-----  ------------         ----------      --------------
clk    {0.000 1.389}        2.778           359.971
idle   {0.000 5.000}        10.000          100.000


------------------------------------------------------------------------------------------------
| Intra Clock Table
| -----------------
------------------------------------------------------------------------------------------------

Clock             WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)
-----             -------      -------  ---------------------  -------------------      -------      -------
clk                -0.222       -1.300                      6                  723        0.022        0.000


------------------------------------------------------------------------------------------------
| Inter Clock Table
"""

FIT = """\
Fitter Status : Successful - Thu Oct 28 15:23:19 2021
Quartus Prime Version : 20.1.1 Build 720 11/11/2020 SJ Lite Edition
Revision Name : net
Top-level Entity Name : net
Family : Cyclone V
Device : 5CEBA4F23C8
Timing Models : Final
Logic utilization (in ALMs) : 6,280 / 18,480 ( 34 % )
Total registers : 14006
Total pins : 1 / 224 ( < 1 % )
Total virtual pins : 172
Total block memory bits : 1,824,256 / 3,153,920 ( 58 % )
Total RAM Blocks : 240 / 308 ( 78 % )
Total DSP Blocks : 8 / 66 ( 12 % )
"""

STA = """\
+--------------------------------------------------+
; Slow 1100mV 85C Model Fmax Summary               ;
+------------+-----------------+------------+------+
; Fmax       ; Restricted Fmax ; Clock Name ; Note ;
+------------+-----------------+------------+------+
; 137.76 MHz ; 130.10 MHz      ; clk        ;      ;
+------------+-----------------+------------+------+
This panel reports FMAX for every clock in the design.

+--------------------------------------------------+
; Slow 1100mV 0C Model Fmax Summary                ;
+------------+-----------------+------------+------+
; Fmax       ; Restricted Fmax ; Clock Name ; Note ;
+------------+-----------------+------------+------+
; 133.01 MHz ; 130.10 MHz      ; clk        ;      ;
+------------+-----------------+------------+------+
This panel reports FMAX for every clock in the design.
"""

UTILISATION = """\
| Tool Version : Vivado v.2022.2 (lin64) Build 3671981 Fri Oct 14 04:59:54 MDT 2022
| Command      : report_utilization -file {state}.rpt
| Design       : clipped_sum
| Device       : xcvu13p-flga2577-2-e
| Design State : {state}

+-----------+------+-------+------------+-----------+-------+
| Site Type | Used | Fixed | Prohibited | Available | Util% |
+-----------+------+-------+------------+-----------+-------+
| CLB LUTs  | {luts} |     0 |          0 |   1728000 | <0.01 |
+-----------+------+-------+------------+-----------+-------+
"""

"""A frame around a design that has more ports than a device has pins.

Inputs come from a shift register, outputs are captured and shifted out, so that four pins do, and every path of the
design runs from register to register.
"""

from __future__ import annotations

from firmware_flows.synthesis.source import Source

TOP = "firmware_flows_harness"


def harness(source: Source) -> str:
    """Verilog of the frame; its top module is `TOP`, with pins clk, load, serial_in and serial_out.

    It costs a flip-flop for each input bit, two flip-flops and a multiplexer for each output bit.
    """
    inputs = sum(bits for _, bits in source.inputs)
    outputs = sum(bits for _, bits in source.outputs)
    connections = [f".{source.clock}(clk)"] if source.clock else []
    for ports, register in ((source.inputs, "shifted"), (source.outputs, "answer")):
        offset = 0
        for name, bits in ports:
            connections.append(f".{name}({register}[{offset + bits - 1}:{offset}])")
            offset += bits
    joined = ",\n        ".join(connections)
    return f"""module {TOP} (
    input wire clk,
    input wire load,
    input wire serial_in,
    output wire serial_out
);
    reg [{inputs - 1}:0] shifted;
    wire [{outputs - 1}:0] answer;
    reg [{outputs - 1}:0] captured;
    reg [{outputs - 1}:0] shifted_out;

    {source.top} design_under_test (
        {joined}
    );

    always @(posedge clk) begin
        shifted <= {{shifted, serial_in}};
        captured <= answer;
        shifted_out <= load ? captured : {{shifted_out, 1'b0}};
    end
    assign serial_out = shifted_out[{outputs - 1}];
endmodule
"""

// Behavioural model of the ECP5 multiplier as Yosys maps `*` to it: 18 x 18 bits, no registers. Yosys carries none.
//
// Lattice describes it in FPGA-TN-02205. This is written from its ports as Yosys declares them; nothing is copied.
// Registers, cascades and the second operand's other sources are not modelled: their ports and parameters are missing
// here, so a netlist that uses them does not build.

module MULT18X18D (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9,
    input A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9,
    input B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9,
    input C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27,
    output P26, P25, P24, P23, P22, P21, P20, P19, P18,
    output P17, P16, P15, P14, P13, P12, P11, P10, P9,
    output P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9,
                     A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9,
                     B8, B7, B6, B5, B4, B3, B2, B1, B0};
    wire signed [18:0] wide_a = {SIGNEDA & a[17], a};
    wire signed [18:0] wide_b = {SIGNEDB & b[17], b};
    wire signed [37:0] product = wide_a * wide_b;
    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27,
            P26, P25, P24, P23, P22, P21, P20, P19, P18,
            P17, P16, P15, P14, P13, P12, P11, P10, P9,
            P8, P7, P6, P5, P4, P3, P2, P1, P0} = product[35:0];

    always @(*)
        if (SOURCEA !== 1'b0 || SOURCEB !== 1'b0) $fatal(1, "MULT18X18D %m: shifted operands are not modelled");
endmodule

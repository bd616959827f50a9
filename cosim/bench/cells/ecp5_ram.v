// Behavioural model of the ECP5 block RAM in the modes that Yosys maps memories to; Yosys carries none.
//
// Lattice describes it in FPGA-TN-02204. This is written from its ports and parameters as Yosys declares them, and
// from how it is wired, on which Yosys' maps of 2019 and of today and nextpnr-ecp5 agree; nothing is copied.
//
// 18 kbit are bytes of 9 bits, of which data widths 1, 2 and 4 use 8. An address counts in bits; its lowest bits are
// ignored, or enable bytes to be written: for a width of 18 ADA1:0, for 36 ADA3:0.
// A width of 36 takes both ports: A writes {DIB, DIA}, B reads {DOB, DOA} or, at less than 36 bits, DOB.
//
// Stricter than the silicon: a mode, reset, second write port or chip select that is not modelled ends the
// simulation; a bit that one port reads while the other one writes it comes out inverted; outputs are undefined
// until the first read.

module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
    input DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
    output DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
    input DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
    output DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC";  // of a reset that is never used
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB";
    parameter GSR = "ENABLED";  // no reset, no effect
    parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0;
    parameter [319:0] INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0;
    parameter [319:0] INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0;
    parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0;
    parameter [319:0] INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0;
    parameter [319:0] INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0;
    parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0;
    parameter [319:0] INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0;
    parameter [319:0] INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0;
    parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0;
    parameter [319:0] INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0;
    parameter [319:0] INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0;
    parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0;
    parameter [319:0] INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0;
    parameter [319:0] INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0;
    parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0;

    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [35:0] written = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
        DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0
    };

    // Rows of 36 bits, whatever the width; a shorter word begins `place` bits up its row.
    reg [35:0] rows [0:511];

    task fill(input integer index, input [319:0] contents);  // 16 half rows of 20 bits, the upper two of each unused
        integer row;
        for (row = 0; row < 8; row = row + 1)
            rows[8*index+row] = {contents[40*row+20 +: 18], contents[40*row +: 18]};
    endtask

    initial begin
        fill('h00, INITVAL_00); fill('h01, INITVAL_01); fill('h02, INITVAL_02); fill('h03, INITVAL_03);
        fill('h04, INITVAL_04); fill('h05, INITVAL_05); fill('h06, INITVAL_06); fill('h07, INITVAL_07);
        fill('h08, INITVAL_08); fill('h09, INITVAL_09); fill('h0A, INITVAL_0A); fill('h0B, INITVAL_0B);
        fill('h0C, INITVAL_0C); fill('h0D, INITVAL_0D); fill('h0E, INITVAL_0E); fill('h0F, INITVAL_0F);
        fill('h10, INITVAL_10); fill('h11, INITVAL_11); fill('h12, INITVAL_12); fill('h13, INITVAL_13);
        fill('h14, INITVAL_14); fill('h15, INITVAL_15); fill('h16, INITVAL_16); fill('h17, INITVAL_17);
        fill('h18, INITVAL_18); fill('h19, INITVAL_19); fill('h1A, INITVAL_1A); fill('h1B, INITVAL_1B);
        fill('h1C, INITVAL_1C); fill('h1D, INITVAL_1D); fill('h1E, INITVAL_1E); fill('h1F, INITVAL_1F);
        fill('h20, INITVAL_20); fill('h21, INITVAL_21); fill('h22, INITVAL_22); fill('h23, INITVAL_23);
        fill('h24, INITVAL_24); fill('h25, INITVAL_25); fill('h26, INITVAL_26); fill('h27, INITVAL_27);
        fill('h28, INITVAL_28); fill('h29, INITVAL_29); fill('h2A, INITVAL_2A); fill('h2B, INITVAL_2B);
        fill('h2C, INITVAL_2C); fill('h2D, INITVAL_2D); fill('h2E, INITVAL_2E); fill('h2F, INITVAL_2F);
        fill('h30, INITVAL_30); fill('h31, INITVAL_31); fill('h32, INITVAL_32); fill('h33, INITVAL_33);
        fill('h34, INITVAL_34); fill('h35, INITVAL_35); fill('h36, INITVAL_36); fill('h37, INITVAL_37);
        fill('h38, INITVAL_38); fill('h39, INITVAL_39); fill('h3A, INITVAL_3A); fill('h3B, INITVAL_3B);
        fill('h3C, INITVAL_3C); fill('h3D, INITVAL_3D); fill('h3E, INITVAL_3E); fill('h3F, INITVAL_3F);
    end

    function supported(input integer width);
        supported = width == 1 || width == 2 || width == 4 || width == 9 || width == 18 || width == 36;
    endfunction

    function [5:0] place(input integer width, input [4:0] low);
        case (width)
            36: place = 0;
            18: place = 18 * low[4];
            9: place = 9 * low[4:3];
            4: place = 9 * low[4:3] + 4 * low[2];
            2: place = 9 * low[4:3] + 2 * low[2:1];
            default: place = 9 * low[4:3] + low[2:0];
        endcase
    endfunction

    function [35:0] all_of(input integer width);
        all_of = (36'd1 << width) - 36'd1;  // 36 overflows to all ones
    endfunction

    wire [35:0] enabled = DATA_WIDTH_A == 36 ? {{9{ADA3}}, {9{ADA2}}, {9{ADA1}}, {9{ADA0}}}
                        : DATA_WIDTH_A == 18 ? {{9{ADA1}}, {9{ADA0}}} : all_of(DATA_WIDTH_A);
    wire [5:0] place_a = place(DATA_WIDTH_A, address_a[4:0]);
    wire [5:0] place_b = place(DATA_WIDTH_B, address_b[4:0]);
    wire [35:0] row_a = rows[address_a[13:5]];
    wire [35:0] row_b = rows[address_b[13:5]];
    wire [35:0] change = CEA && WEA ? enabled << place_a : 36'd0;
    wire [35:0] collision = address_a[13:5] == address_b[13:5] ? change : 36'd0;
    reg [35:0] read_a, read_b;

    always @(posedge CLKA)
        if (CEA) begin
            if (WEA) rows[address_a[13:5]] <= row_a & ~change | (written << place_a) & change;
            if (!WEA || WRITEMODE_A == "READBEFOREWRITE") read_a <= row_a >> place_a & all_of(DATA_WIDTH_A);
        end

    always @(posedge CLKB)
        if (CEB) read_b <= (row_b ^ collision) >> place_b & all_of(DATA_WIDTH_B);

    // Output registers have an enable of their own; at a width of 36 port B's clock drives both halves.
    reg [35:0] held_a, held_b;
    always @(posedge CLKA) if (OCEA) held_a <= read_a;
    always @(posedge CLKB) if (OCEB) held_b <= read_b;
    wire [35:0] out_a = REGMODE_A == "OUTREG" ? held_a : read_a;
    wire [35:0] out_b = REGMODE_B == "OUTREG" ? held_b : read_b;

    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
            DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_A == 36 ? out_b[17:0] : out_a[17:0];
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
            DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? out_b[35:18] : out_b[17:0];

    initial begin
        if (!supported(DATA_WIDTH_A) || !supported(DATA_WIDTH_B) || DATA_WIDTH_B == 36 && DATA_WIDTH_A != 36)
            $fatal(1, "DP16KD %m: widths %0d and %0d are not modelled", DATA_WIDTH_A, DATA_WIDTH_B);
        if (DATA_WIDTH_B == 36 && REGMODE_A != REGMODE_B) $fatal(1, "DP16KD %m: half an output register is not modelled");
        if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000") $fatal(1, "DP16KD %m: chip selects are not modelled");
        if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB") $fatal(1, "DP16KD %m: inverted clocks are not modelled");
        if (WRITEMODE_A != "NORMAL" && WRITEMODE_A != "READBEFOREWRITE")
            $fatal(1, "DP16KD %m: write mode %0s is not modelled", WRITEMODE_A);
    end

    always @(posedge CLKA, posedge CLKB)
        if ({RSTA, RSTB, WEB, CSA2, CSA1, CSA0, CSB2, CSB1, CSB0} !== 9'd0)
            $fatal(1, "DP16KD %m: resets, chip selects and writes by port B are not modelled");
endmodule

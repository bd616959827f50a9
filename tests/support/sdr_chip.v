// A model of an SDR SDRAM of 16 bits as a vendor would write it: delays on the data pins, ports called as in data sheets.
// Bursts of eight, single writes, CAS latency 3. It stores the lowest 2^18 words, and stops at a command out of order.

`timescale 1ns / 1ps

module sdr_chip #(
    parameter tAC = 5.4
) (Dq, Addr, Ba, Clk, Cke, Cs_n, Ras_n, Cas_n, We_n, Dqm);
    inout  [15:0] Dq;
    input  [12:0] Addr;
    input  [1:0]  Ba;
    input         Clk, Cke, Cs_n, Ras_n, Cas_n, We_n;
    input  [1:0]  Dqm;

    reg [15:0] cells [0:(1 << 18) - 1];
    reg [12:0] row [0:3];
    reg [3:0]  is_open = 0;
    reg [1:0]  from_bank;
    reg [8:0]  column;
    reg [3:0]  left = 0;
    reg [15:0] stage, out;
    reg        valid = 0, drive = 0;

    assign Dq = drive ? out : 16'hzzzz;

    wire [2:0] command = Cs_n ? 3'b111 : {Ras_n, Cas_n, We_n};
    wire [23:0] address = {row[from_bank], from_bank, column};

    always @(posedge Clk) begin
        // The word of a READ leaves two cycles and a while later, and is taken with the third edge.
        valid <= left != 0;
        stage <= cells[address[17:0]];
        out <= #(tAC) stage;
        drive <= #(tAC) valid;
        if (left != 0) begin
            left <= left - 1;
            column <= {column[8:3], column[2:0] + 3'd1};
        end
        if (Cke) case (command)
            3'b011: begin
                if (is_open[Ba]) begin $display("ACTIVATE of an open bank"); $finish; end
                row[Ba] <= Addr;
                is_open[Ba] <= 1;
            end
            3'b101, 3'b100: begin
                if (!is_open[Ba]) begin $display("READ or WRITE of a closed bank"); $finish; end
                if (command == 3'b101) begin
                    from_bank <= Ba;
                    column <= Addr[8:0];
                    left <= 8;
                end else begin
                    cells[{row[Ba][6:0], Ba, Addr[8:0]}] <= Dq;
                    left <= 0;
                end
            end
            3'b010: begin
                is_open <= Addr[10] ? 4'd0 : is_open & ~(4'd1 << Ba);
                if (Addr[10] || Ba == from_bank) left <= 0;
            end
            default: ;
        endcase
    end
endmodule

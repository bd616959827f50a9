// Counts how many of its bits differ from one clock edge to the next, and writes the sum to the file `toggles`.
module toggle_counter #(parameter WIDTH = 1) (input clk, input [WIDTH-1:0] bits);
    reg [WIDTH-1:0] previous = 0;
    wire [WIDTH-1:0] changed = bits ^ previous;  // Icarus counts the ones of a variable only
    reg [63:0] toggles = 0;
    integer file;

    always @(posedge clk) begin
        previous <= bits;
        toggles <= toggles + $countones(changed);
    end

    final begin
        file = $fopen("toggles");
        $fwrite(file, "%0d", toggles);
        $fclose(file);
    end
endmodule

// A small system around the core of bundles/small. It plays a recording of frames from a ROM in a loop, and an LED is
// the brighter the more of the spectrum is speech: it is on for as many cycles as the last mask has ones, again and again.
//
// Make the core with: make ip BOARD=ulx3s_85f BUNDLE=bundles/small
// Sizes come from the bgru.vh that this writes, so any network with words of 32 bits will do.

`include "bgru.vh"

module top #(
  parameter FRAMES = 4,                // in the recording
  parameter RECORDING = "frames.mem",  // `BGRU_FRAME_WORDS words of 32 bits for each frame
  parameter CLOCK_HZ = 25000000,
  parameter PERIOD = CLOCK_HZ / `BGRU_SAMPLE_RATE * `BGRU_HOP  // cycles from frame to frame: 8 ms for bundles/small
) (
  input  wire clk,
  input  wire resetn,
  output reg  led,
  output wire error               // the core has seen a frame of a wrong length
);
  localparam FRAME_WORDS = `BGRU_FRAME_WORDS;
  localparam BITS = $clog2(`BGRU_BINS + 1);  // of a number of ones
  localparam WORDS = FRAMES * FRAME_WORDS;

  // The recording: a word is there a cycle after its address, and stays while the core is not ready.
  reg [31:0] recording [0:WORDS-1];
  initial $readmemh(RECORDING, recording);

  reg [31:0] address, next_address, word, place, pause;
  reg valid;
  wire ready;
  wire taken = valid && ready;
  wire last = place == FRAME_WORDS - 1;
  wire first_frame = address < FRAME_WORDS;
  always @* begin
    next_address = address;
    if (taken) next_address = address == WORDS - 1 ? 0 : address + 1;
  end
  always @(posedge clk) begin
    word <= recording[next_address[$clog2(WORDS)-1:0]];
    address <= next_address;
    pause <= pause == 0 ? PERIOD - 1 : pause - 1;
    if (taken) place <= last ? 0 : place + 1;
    if (pause == 0) valid <= 1;
    else if (taken && last) valid <= 0;
    if (!resetn) begin
      address <= 0;
      place <= 0;
      pause <= PERIOD - 1;
      valid <= 0;
    end
  end

  // The masks: count the ones, word by word.
  wire [31:0] mask;
  wire [3:0] mask_keep;
  wire mask_valid, mask_last, mask_first_frame;
  reg [BITS-1:0] ones, speech, ramp;
  integer bin;
  reg [BITS-1:0] sum;
  always @* begin
    sum = ones;
    for (bin = 0; bin < 32; bin = bin + 1) sum = sum + {{BITS - 1{1'b0}}, mask[bin]};
  end
  always @(posedge clk) begin
    if (mask_valid) begin
      ones <= mask_last ? 0 : sum;
      if (mask_last) speech <= sum;
    end
    ramp <= ramp + 1;
    led <= ramp < speech;
    if (!resetn) begin
      ones <= 0;
      speech <= 0;
      ramp <= 0;
    end
  end

  // The registers: read the status again and again.
  reg strobe, seen;
  wire ack;
  wire [31:0] data;
  always @(posedge clk) begin
    strobe <= !ack;
    if (ack) seen <= data[1];
    if (!resetn) begin
      strobe <= 0;
      seen <= 0;
    end
  end
  assign error = seen;
  wire unused = &{data[31:2], data[0], mask_keep, mask_first_frame};

  bgru core (
    .aclk(clk), .aresetn(resetn),
    .s_axis_tdata(word), .s_axis_tvalid(valid), .s_axis_tready(ready),
    .s_axis_tlast(last), .s_axis_tuser(first_frame),
    .m_axis_tdata(mask), .m_axis_tkeep(mask_keep), .m_axis_tvalid(mask_valid), .m_axis_tready(1'b1),
    .m_axis_tlast(mask_last), .m_axis_tuser(mask_first_frame),
    .wb_cyc_i(strobe), .wb_stb_i(strobe), .wb_we_i(1'b0), .wb_adr_i(4'd6), .wb_dat_o(data), .wb_ack_o(ack)
  );
endmodule

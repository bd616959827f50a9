// A small system with the network of bundles/small in it: a recording of frames in a ROM is played in a loop, and a
// LED is bright while the network hears speech. Each mask bit says whether one bin of the spectrum is speech, so the
// LED is on for as many cycles as the last mask has ones, again and again.
//
// The core is made with: make ip BOARD=ulx3s_85f BUNDLE=bundles/small

module top #(
  parameter FRAMES = 4,                // in the recording
  parameter RECORDING = "frames.mem",  // 33 words of 32 bits for each frame
  parameter PERIOD = 400000            // cycles from frame to frame: 16 ms at 25 MHz
) (
  input  wire clk,
  input  wire resetn,
  output reg  led,
  output wire error               // the core has seen a frame of a wrong length
);
  localparam FRAME_WORDS = 33;    // ceil(1028 features / 32); see registers.h
  localparam WORDS = FRAMES * FRAME_WORDS;

  // The recording: a word is there from the cycle after its address; it stays while the core makes it wait.
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

  // The masks: counted, word by word.
  wire [31:0] mask;
  wire [3:0] mask_keep;
  wire mask_valid, mask_last, mask_first_frame;
  reg [8:0] ones, speech, ramp;
  integer bin;
  reg [8:0] sum;
  always @* begin
    sum = ones;
    for (bin = 0; bin < 32; bin = bin + 1) sum = sum + {8'd0, mask[bin]};
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

  // The registers: read the status, over and over.
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

"""The test bench that ships with a core: plain Verilog, and masks of the golden model."""

import numpy as np

from hw.gateware.axi import AxiNetwork, octets
from hw.shape.words import words
from model.bundle.bits import Bits, pack, unpack
from model.reference.golden_model import GoldenModel

__all__ = ["MODULES", "files"]

MODULES = ("bench", "source")
"""Names that the core can't have: `bench.v`'s modules."""

STARTS = (1, 0, 0, 1)
"""Which frames begin an utterance."""
LONGER = (0, -1, 1, 0)
"""Words by which each frame is too long."""

BENCH = """\
// A few frames at a random pace on all sides, one of them too short and one too long: every mask must be the golden
// model's. Ends with PASS, or with FAIL and an exit code that is not 0.
`timescale 1ns / 1ns

module bench;
  reg aclk = 0, aresetn = 0;
  always #5 aclk = !aclk;
  initial begin
    repeat (4) @(posedge aclk);
    aresetn <= 1;
    repeat (@LIMIT@) @(posedge aclk);
    $display("FAIL: after @LIMIT@ cycles, %0d of @MASKS@ mask words have come", got);
    $fatal(1);
  end
@SOURCES@
  wire [@OUT@-1:0] m_axis_tdata;
  wire [@OUT@/8-1:0] m_axis_tkeep;
  wire m_axis_tvalid, m_axis_tlast, m_axis_tuser;
  reg m_axis_tready = 0;
  reg wb_stb = 0;
  wire [31:0] wb_dat;
  wire wb_ack;

  @NAME@ core (
    .aclk(aclk), .aresetn(aresetn),
@PORTS@
    .m_axis_tdata(m_axis_tdata), .m_axis_tkeep(m_axis_tkeep), .m_axis_tlast(m_axis_tlast),
    .m_axis_tuser(m_axis_tuser), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready),
    .wb_cyc_i(wb_stb), .wb_stb_i(wb_stb), .wb_we_i(1'b0), .wb_adr_i(4'd9), .wb_dat_o(wb_dat), .wb_ack_o(wb_ack)
  );

  reg [@OUT@+@OUT@/8+1:0] masks [0:@MASKS@-1];
  integer got = 0;
  initial $readmemh("masks.mem", masks);
  always @(posedge aclk) begin
    m_axis_tready <= $urandom % 4 != 0;
    if (aresetn && m_axis_tvalid && m_axis_tready) begin
      if ({m_axis_tuser, m_axis_tlast, m_axis_tkeep, m_axis_tdata} !== masks[got]) begin
        $display("FAIL: mask word %0d: expected %h, got %h (tuser, tlast, tkeep, tdata)", got, masks[got],
                 {m_axis_tuser, m_axis_tlast, m_axis_tkeep, m_axis_tdata});
        $fatal(1);
      end
      got <= got + 1;
    end
    wb_stb <= got == @MASKS@;
    if (wb_ack) begin
      if (wb_dat != @ERRORS@) begin
        $display("FAIL: register errors: expected @ERRORS@, got %0d", wb_dat);
        $fatal(1);
      end
      $display("PASS: @MASKS@ mask words of @FRAMES@ frames are the golden model's");
      $finish;
    end
  end
endmodule

// The words of a file, ROUNDS times, with idle cycles between them.
module source #(parameter WIDTH = 8, COUNT = 1, ROUNDS = 1, FILE = "") (
  input clk, input resetn, output reg [WIDTH-1:0] data, output reg valid, input ready
);
  reg [WIDTH-1:0] items [0:COUNT-1];
  integer next = 0;
  initial $readmemh(FILE, items);
  always @(posedge clk)
    if (!resetn) valid <= 0;
    else if (!valid || ready) begin
      if (next < COUNT * ROUNDS && $urandom % 4 != 0) begin
        valid <= 1;
        data <= items[next % COUNT];
        next <= next + 1;
      end else valid <= 0;
    end
endmodule
"""

SOURCE = """
  wire [{width}-1:0] {name}_word;
  wire {name}_tvalid, {name}_tready;
  source #(.WIDTH({width}), .COUNT({count}), .ROUNDS({rounds}), .FILE("{file}")) {name}
    (.clk(aclk), .resetn(aresetn), .data({name}_word), .valid({name}_tvalid), .ready({name}_tready));
"""


def files(core: AxiNetwork, name: str) -> dict[str, str]:
    """`bench.v` around the module `name`, and the files it reads: name to text."""
    network = core.network
    features, masks, errors = _vectors(core)
    width = network.in_width
    sources = SOURCE.format(name="s_axis", width=width + 2, count=len(features), rounds=1, file="features.mem")
    ports = [f"    .s_axis_tdata(s_axis_word[{width - 1}:0]), .s_axis_tlast(s_axis_word[{width}]),"]
    ports += [
        f"    .s_axis_tuser(s_axis_word[{width + 1}]), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),"
    ]
    texts = {"features.mem": _lines(features), "masks.mem": _lines(masks)}
    limit = 1000 + 10 * len(features + masks)
    for loaded in core.loads:
        layer, port = network.layers[loaded], f"s_axis_{loaded}"
        matrix = layer.engine.matrix
        texts[f"{loaded}.mem"] = _lines(matrix.weight_words)
        sources += SOURCE.format(
            name=port,
            width=octets(matrix.weight_width),
            count=len(matrix.weight_words),
            rounds=len(STARTS) if layer.folding.weights == "streamed" else 1,
            file=f"{loaded}.mem",
        )
        ports += [f"    .{port}_tdata({port}_word), .{port}_tvalid({port}_tvalid), .{port}_tready({port}_tready),"]
        limit += 2 * len(matrix.weight_words)
    limit += 4 * len(STARTS) * network.spec.ideal
    text = BENCH
    for mark, value in {
        "NAME": name,
        "SOURCES": sources,
        "PORTS": "\n".join(ports),
        "OUT": network.out_width,
        "MASKS": len(masks),
        "FRAMES": len(STARTS),
        "ERRORS": errors,
        "LIMIT": limit,
    }.items():
        text = text.replace(f"@{mark}@", str(value))
    return {"bench.v": text, **texts}


def _vectors(core: AxiNetwork) -> tuple[list[int], list[int], int]:
    """Words of random frames {tuser, tlast, tdata}, of their masks {tuser, tlast, tkeep, tdata}, and framing errors."""
    network = core.network
    rng, model = np.random.default_rng(0), GoldenModel(network.bundle)
    length, bins = network.bundle.layers[0].inputs, network.bundle.layers[-1].units
    right, out = words(length, network.in_width), network.out_width
    features: list[int] = []
    masks: list[int] = []
    errors = 0
    for start, longer in zip(STARTS, LONGER, strict=True):
        count = max(1, right + longer)
        errors += count != right
        bits = rng.integers(0, 2, (count, network.in_width), dtype=np.uint8)
        for index, word in enumerate(bits):
            features.append(_integer(np.append(word, [index == count - 1, start])))
        seen = np.zeros(length, dtype=np.uint8)  # missing bits count as 0, excess ones are ignored
        seen[: bits.size] = bits.reshape(-1)[:length]
        if start:
            model.reset()
        mask = unpack(model.step(pack(seen))[0], bins)
        for low in range(0, bins, out):
            word = np.zeros(out, dtype=np.uint8)
            used = mask[low : low + out]
            word[: len(used)] = used
            keep = np.arange(out // 8) < words(len(used), 8)
            masks.append(_integer(np.concatenate([word, keep, [low + out >= bins, start]])))
    return features, masks, errors


def _integer(bits: Bits) -> int:
    return int.from_bytes(np.packbits(bits.astype(np.uint8), bitorder="little").tobytes(), "little")


def _lines(items: list[int]) -> str:
    return "".join(f"{item:x}\n" for item in items)

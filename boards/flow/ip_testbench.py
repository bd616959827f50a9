"""The self-checking test bench that ships with a core: plain Verilog, and the expected output by the reference."""

from dataclasses import dataclass

import numpy as np

from hw.gateware.axi import AxiStream, octets
from hw.gateware.axi_denoiser import SAMPLE_BITS, AxiDenoiser
from hw.shape.audio import AudioSpec
from hw.shape.cycles import predict
from hw.shape.latency import latency
from hw.shape.words import words
from model.bundle.bits import Bits, pack
from model.reference.audio import read_samples
from model.reference.denoise import denoise
from model.reference.golden_model import GoldenModel
from model.reference.vectors import carried_bits, elements
from model.shipped import recording

__all__ = ["MODULES", "files"]

MODULES = ("bench", "source")
"""Names that the core can't have: `bench.v`'s modules."""

STARTS = (1, 0, 0, 1)
"""Which frames begin an utterance."""
LONGER = (0, -1, 1, 0)
"""Words by which each frame is too long."""

HOPS_AND_SAMPLES = ((1, 5), (0, 3))
"""Length of each recording: hops, and samples on top."""

BENCH = """\
// @WHAT@
// Ends with PASS, or with FAIL and an exit code that is not 0.
`timescale 1ns / 1ns

module bench;
  reg aclk = 0, aresetn = 0;
  always #5 aclk = !aclk;
  initial begin
    repeat (4) @(posedge aclk);
    aresetn <= 1;
    repeat (@LIMIT@) @(posedge aclk);
    $display("FAIL: after @LIMIT@ cycles, %0d of @COUNT@ words have come", got);
    $fatal(1);
  end
@SOURCES@
@WIRES@
  reg m_axis_tready = 0;
  reg wb_stb = 0;
  wire [31:0] wb_dat;
  wire wb_ack;

  @NAME@ core (
    .aclk(aclk), .aresetn(aresetn),
@PORTS@
    .wb_cyc_i(wb_stb), .wb_stb_i(wb_stb), .wb_we_i(1'b0), .wb_adr_i(4'd@ADDRESS@), .wb_dat_o(wb_dat), .wb_ack_o(wb_ack)
  );

  wire [@WIDTH@-1:0] word = {@PARTS@};
  reg [@WIDTH@-1:0] expected [0:@COUNT@-1];
  integer got = 0;
  initial $readmemh("@FILE@", expected);
  always @(posedge aclk) begin
    m_axis_tready <= $urandom % 4 != 0;
    if (aresetn && m_axis_tvalid && m_axis_tready) begin
      if (word !== expected[got]) begin
        $display("FAIL: word %0d of @FILE@: expected %h, got %h (@PARTS@)", got, expected[got], word);
        $fatal(1);
      end
      got <= got + 1;
    end
    wb_stb <= got == @COUNT@;
    if (wb_ack) begin
      if (wb_dat != @VALUE@) begin
        $display("FAIL: register @REGISTER@: expected @VALUE@, got %0d", wb_dat);
        $fatal(1);
      end
      $display("PASS: @COUNT@ words of @PACKETS@ are the reference's");
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

# A layer may have any name of small letters, digits and _, and its weights are in <layer>.mem: the bench's own files
# have a "-" in their names, and its instances begin in another way than its wires.
SOURCE = """
  wire [{width}-1:0] {name}_word;
  wire {name}_tvalid, {name}_tready;
  source #(.WIDTH({width}), .COUNT({count}), .ROUNDS({rounds}), .FILE("{file}")) source_of_{name}
    (.clk(aclk), .resetn(aresetn), .data({name}_word), .valid({name}_tvalid), .ready({name}_tready));
"""


@dataclass(frozen=True)
class Traffic:
    """What the bench sends, and the expected answer.

    what : the bench's first comment; packets : what it sends, in words; sent_file, expected_file : names of the data
    sent, expected : words of both streams, with `s_parts` and `m_parts` from bit 0 up
    frames : number of frames that the network computes
    register, value : the register to read at the end, and its expected value
    limit : cycles, without those for the words and weights
    tied : constant inputs, as Verilog port connections
    """

    what: str
    packets: str
    sent_file: str
    expected_file: str
    sent: list[int]
    expected: list[int]
    s_parts: dict[str, int]
    m_parts: dict[str, int]
    frames: int
    register: str
    value: int
    limit: int
    tied: str = ""


def files(core: AxiStream, name: str) -> dict[str, str]:
    """`bench.v` around the module `name`, and the files it reads: name to text."""
    it = _recordings(core) if isinstance(core, AxiDenoiser) else _frames(core)
    width = sum(it.s_parts.values())
    sources = SOURCE.format(name="s_axis", width=width, count=len(it.sent), rounds=1, file=it.sent_file)
    texts = {it.sent_file: _lines(it.sent), it.expected_file: _lines(it.expected)}
    limit = 1000 + 10 * len(it.sent + it.expected) + it.limit
    ports, low = [], 0
    for part, bits in it.s_parts.items():
        ports.append(f".s_axis_{part}(s_axis_word[{low + bits - 1}:{low}])")
        low += bits
    ports += [f".s_axis_{part}(s_axis_{part})" for part in ("tvalid", "tready")]
    ports += [f".m_axis_{part}(m_axis_{part})" for part in (*it.m_parts, "tvalid", "tready")]
    for loaded in core.loads:
        layer, port = core.network.layers[loaded], f"s_axis_{loaded}"
        matrix = layer.engine.matrix
        texts[f"{loaded}.mem"] = _lines(matrix.weight_words)
        rounds = it.frames if layer.folding.weights == "streamed" else 1
        sources += SOURCE.format(
            name=port,
            width=octets(matrix.weight_width),
            count=len(matrix.weight_words),
            rounds=rounds,
            file=f"{loaded}.mem",
        )
        ports += [f".{port}_tdata({port}_word)", f".{port}_tvalid({port}_tvalid)", f".{port}_tready({port}_tready)"]
        limit += 2 * len(matrix.weight_words) * rounds
    text = BENCH
    for mark, value in {
        "WHAT": it.what,
        "NAME": name,
        "SOURCES": sources,
        "WIRES": "\n".join(f"  wire [{bits - 1}:0] m_axis_{part};" for part, bits in it.m_parts.items())
        + "\n  wire m_axis_tvalid;",
        "PORTS": "\n".join(f"    {port}," for port in ports) + it.tied,
        "PARTS": ", ".join(f"m_axis_{part}" for part in reversed(it.m_parts)),
        "WIDTH": sum(it.m_parts.values()),
        "COUNT": len(it.expected),
        "FILE": it.expected_file,
        "PACKETS": it.packets,
        "REGISTER": it.register,
        "ADDRESS": [register.name for register in core.registers].index(it.register),
        "VALUE": it.value,
        "LIMIT": limit,
    }.items():
        text = text.replace(f"@{mark}@", str(value))
    return {"bench.v": text, **texts}


def _recordings(core: AxiDenoiser) -> Traffic:
    """The loudest parts of the recording that comes with bgru, {tlast, tdata}, and the reference's output."""
    network, front_end = core.network, core.network.bundle.front_end
    whole = read_samples(recording(), front_end.sample_rate)
    sent: list[int] = []
    expected: list[int] = []
    frames = 0
    for hops, more in HOPS_AND_SAMPLES:
        length = hops * front_end.hop + more
        begin = max(0, int(np.argmax(np.abs(whole.astype(np.int32)))) - length // 2)
        samples = whole[begin : begin + length]
        for stream, packet in ((sent, samples), (expected, denoise(network.bundle, samples)[0])):
            last = np.arange(length) == length - 1
            stream += [
                int(sample) & 0xFFFF | int(ends) << SAMPLE_BITS for sample, ends in zip(packet, last, strict=True)
            ]
        frames += words(length, front_end.hop) + front_end.fft_size // front_end.hop - 1
    audio, parts = AudioSpec.of(front_end, network.family), {"tdata": SAMPLE_BITS, "tlast": 1}
    return Traffic(
        what="Two recordings at a random pace on all sides: every sample must be the reference's.",
        packets=f"{len(HOPS_AND_SAMPLES)} recordings",
        sent_file="bench-recordings.mem",
        expected_file="bench-denoised.mem",
        sent=sent,
        expected=expected,
        s_parts=parts,
        m_parts=parts,
        frames=frames,
        register="recordings",
        value=len(HOPS_AND_SAMPLES),
        limit=2 * frames * (audio.interval + audio.clearing + latency(network.spec)),
        tied="\n    .bypass(1'b0),",
    )


def _frames(core: AxiStream) -> Traffic:
    """Random frames {tuser, tlast, tdata}, and their masks {tuser, tlast, tkeep, tdata}."""
    network = core.network
    rng, model = np.random.default_rng(0), GoldenModel(network.bundle)
    length, bins = network.spec.frame_bits, network.spec.mask_bits
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
        each = network.bundle.front_end.feature_bits
        mask = carried_bits(network.bundle.layers[-1], model.step(pack(seen) if each == 1 else elements(seen, each))[0])
        for low in range(0, bins, out):
            word = np.zeros(out, dtype=np.uint8)
            used = mask[low : low + out]
            word[: len(used)] = used
            keep = np.arange(out // 8) < words(len(used), 8)
            masks.append(_integer(np.concatenate([word, keep, [low + out >= bins, start]])))
    return Traffic(
        what="Frames at a random pace, one too short and one too long: every mask must be the golden model's.",
        packets=f"{len(STARTS)} frames",
        sent_file="bench-features.mem",
        expected_file="bench-masks.mem",
        sent=features,
        expected=masks,
        s_parts={"tdata": network.in_width, "tlast": 1, "tuser": 1},
        m_parts={"tdata": out, "tkeep": out // 8, "tlast": 1, "tuser": 1},
        frames=len(STARTS),
        register="errors",
        value=errors,
        limit=4 * len(STARTS) * sum(predict(layer).cycles for layer in network.spec.layers),
    )


def _integer(bits: Bits) -> int:
    return int.from_bytes(np.packbits(bits.astype(np.uint8), bitorder="little").tobytes(), "little")


def _lines(items: list[int]) -> str:
    return "".join(f"{item:x}\n" for item in items)

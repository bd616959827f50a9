"""Export: the bundle computes the same bits as the network at pi = 1."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from model.bundle.bits import pack, unpack  # noqa: E402 (after importorskip)
from model.bundle.read import read_bundle  # noqa: E402 (after importorskip)
from model.bundle.write import write_bundle  # noqa: E402 (after importorskip)
from model.corpora.float_front_end import FloatFrontEnd  # noqa: E402 (after importorskip)
from model.reference.golden_model import GoldenModel  # noqa: E402 (after importorskip)
from model.training.bernoulli import Draw  # noqa: E402 (after importorskip)
from model.training.export import to_bundle  # noqa: E402 (after importorskip)
from model.training.network import BGRU, BINARY, Binarisation, MaskNetwork  # noqa: E402 (after importorskip)

sizes = st.integers(1, 70)


def front_end(fft_size: int) -> FloatFrontEnd:
    """A one-bit front end of fft_size // 2 + 1 bins: as many features as bins."""
    thresholds = np.ones((fft_size // 2 + 1, 1), np.float32)
    return FloatFrontEnd(16000, fft_size, max(1, fft_size // 4), "hann", 0.1, thresholds)


def network_bits(network: MaskNetwork, features: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mask bits (frames, bins) of the network at pi = 1."""
    x = 2.0 * torch.from_numpy(features).float()[:, None] - 1.0
    with torch.no_grad():
        v, _ = network(x)
    return (v[:, 0] >= 0).numpy().astype(np.uint8)


@given(
    half=st.integers(1, 40),
    hidden=st.lists(sizes, max_size=2),
    kind=st.sampled_from(["bgru", "dense"]),
    rho=st.floats(0.1, 1.0),
    per_row=st.booleans(),
    integer_bias=st.booleans(),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=60)
def test_golden_model_equals_network_bit_for_bit(
    half: int, hidden: list[int], kind: str, rho: float, per_row: bool, integer_bias: bool, seed: int
) -> None:
    """Any shape, density and thresholds; with `integer_bias` thresholds are small integers, so that ties abound."""
    torch.manual_seed(seed)
    front = front_end(2 * half)
    network = MaskNetwork(front.features, hidden, front.bins, kind, Binarisation(rho, per_row=per_row))
    network.centre(torch.rand(front.features) * 2 - 1)
    for layer in network.layers:
        rows = layer.rows
        rows.weight.data.normal_()
        rows.bias.data.normal_()
        if integer_bias:
            rows.centre.zero_()
            scale = rows.effective(BINARY, Draw())[2].detach()
            rows.bias.data.copy_(torch.randint(-2, 3, rows.bias.shape) * scale)
    made = to_bundle(network, front, "random", {})
    features = np.random.default_rng(seed).integers(0, 2, (20, front.features), dtype=np.uint8)
    np.testing.assert_array_equal(GoldenModel(made).masks(features), network_bits(network, features))


def test_ties_are_met_and_give_one() -> None:
    """A gate of two opposite weights sums to 0, its threshold: r, z, candidate and mask bit are all 1."""
    front = front_end(2)
    network = MaskNetwork(2, [1], 2, "bgru", Binarisation(rho=1.0, slope=1.0))
    layer = network.hidden[0]
    layer.rows.weight.data.copy_(torch.tensor([[[0.5, -0.5, 0.5]]] * 3))
    layer.rows.bias.data.copy_(layer.rows.effective(BINARY, Draw())[2].detach())  # threshold -1
    layer.initial.data.fill_(-1.0)
    made = to_bundle(network, front, "ties", {})
    assert made.layers[0].threshold.tolist() == [[-1], [-1], [-1]]
    _, trace = GoldenModel(made).step(pack(np.array([1, 1], np.uint8)))
    assert {name: int(bits[0]) for name, bits in trace["gru0"].items()} == {"r": 1, "z": 1, "candidate": 1, "h": 0}
    features = np.ones((3, 2), np.uint8)
    np.testing.assert_array_equal(GoldenModel(made).masks(features), network_bits(network, features))


def test_layers_are_named_by_kind_and_place() -> None:
    front = front_end(16)
    made = to_bundle(MaskNetwork(9, [4, 5], 9, "bgru", Binarisation(rho=0.8, slope=1.0)), front, "names", {"a": 1})
    assert [(layer.name, layer.kind) for layer in made.layers] == [
        ("gru0", "bgru"),
        ("gru1", "bgru"),
        ("mask", "dense"),
    ]
    made = to_bundle(MaskNetwork(9, [4], 9, "dense", Binarisation(rho=0.8, slope=1.0)), front, "names", {})
    assert [layer.name for layer in made.layers] == ["dense0", "mask"]


def test_initial_state_is_exported_as_its_sign() -> None:
    network = MaskNetwork(9, [5], 9, "bgru", Binarisation(rho=0.8, slope=1.0))
    layer = network.hidden[0]
    assert isinstance(layer, BGRU)
    layer.initial.data.copy_(torch.tensor([-1.0, 0.0, 1.0, -0.1, 0.1]))
    exported = to_bundle(network, front_end(16), "state", {}).bitwise[0].initial_state
    assert exported is not None
    assert unpack(exported, 5).tolist() == [0, 1, 1, 0, 1]


@pytest.mark.parametrize("bias", [1e6, -1e6])
def test_a_threshold_out_of_reach_stays_out_of_reach(bias: float) -> None:
    """Clipped to just beyond what the sum can be, it still means always or never."""
    front = front_end(16)
    network = MaskNetwork(9, [], 9, "dense", Binarisation(rho=0.8, slope=1.0))
    network.mask.rows.bias.data.fill_(bias)
    made = to_bundle(network, front, "far", {})
    assert np.all(np.abs(made.layers[0].threshold) <= 10)
    features = np.random.default_rng(0).integers(0, 2, (5, 9), dtype=np.uint8)
    assert np.all(GoldenModel(made).masks(features) == (bias > 0))


def test_bundle_of_a_network_survives_the_disk(tmp_path: Any) -> None:
    front = front_end(16)
    made = to_bundle(MaskNetwork(9, [7], 9, "bgru", Binarisation(rho=0.8, slope=1.0)), front, "disk", {"seed": 1})
    write_bundle(made, tmp_path / "b")
    features = np.random.default_rng(0).integers(0, 2, (30, 9), dtype=np.uint8)
    again = read_bundle(tmp_path / "b")
    np.testing.assert_array_equal(GoldenModel(again).masks(features), GoldenModel(made).masks(features))

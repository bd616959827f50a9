"""Exported networks in ONNX Runtime against the golden model."""

import re
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.reference.golden_model import GoldenModel
from model.reference.onnx_graph import to_onnx
from tests.support.command import bgru
from tests.support.integer_bundles import any_features, integer_bundles
from tests.support.paths import ROOT
from tests.support.random_bundles import bundles, seeds

FRAMES = 5


def session(network: Bundle) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of states that have defaults
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(to_onnx(network).SerializeToString(), options)


@given(st.one_of(bundles(), integer_bundles()), seeds)
def test_every_network_has_the_golden_models_gains(network, seed):
    features = any_features(np.random.default_rng(seed), network.front_end, FRAMES)
    (gains, *_) = session(network).run(None, {"features": features})
    assert np.array_equal(gains, GoldenModel(network).masks(features))


@settings(max_examples=20)
@given(st.one_of(bundles(), integer_bundles()), seeds)
def test_frames_in_parts_with_the_state_between_them_are_the_frames_at_once(network, seed):
    features = any_features(np.random.default_rng(seed), network.front_end, FRAMES)
    model = session(network)
    outputs = [output.name for output in model.get_outputs()]
    assert [f"{name.name}_next" for name in model.get_overridable_initializers()] == outputs[1:]
    parts, states = [], {}
    for frame in features:
        gains, *after = model.run(None, {"features": frame[None], **states})
        parts.append(gains[0])
        states = {name.removesuffix("_next"): state for name, state in zip(outputs[1:], after, strict=True)}
    assert np.array_equal(parts, GoldenModel(network).masks(features))


def test_a_trained_network_has_every_bit_of_the_recordings_mask(recording_features):
    network = read_bundle(ROOT / "bundles" / "tiny")
    features = recording_features(network)
    gains, _ = session(network).run(None, {"features": features})
    assert np.array_equal(gains, GoldenModel(network).masks(features))


def test_the_model_says_whose_it_is():
    network = read_bundle(ROOT / "bundles" / "tiny")
    facts = session(network).get_modelmeta().custom_metadata_map
    assert facts["identity"] == network.identity.hex()
    assert (facts["bundle"], facts["sample_rate"], facts["hop"]) == ("tiny", "16000", "128")


def test_the_command_and_the_example_of_its_page(tmp_path):
    page = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
    code, _ = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert bgru("onnx", tmp_path / "small.onnx").exit_code == 0
    made = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert made.stdout == "the same as `bgru denoise`: True\n"


@pytest.mark.parametrize("name", ["small", "small.tflite"])
def test_another_name_is_refused(tmp_path, name):
    result = bgru("onnx", tmp_path / name)
    assert result.exit_code == 2
    assert "expected a name that ends in .onnx, got" in result.stderr
    assert not list(tmp_path.iterdir())

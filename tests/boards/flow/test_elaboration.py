# amaranth: UnusedElaboratable=no
"""A job elaborates what a command on this machine does."""

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.flow.bram_patch import placeholder
from boards.flow.elaboration import bundle_files, layer_elaboration, top_elaboration, top_rtlil
from boards.flow.layout import lay_out
from hw.flow.rtl import layer_rtlil, read_texts
from model.bundle.write import write_bundle
from tests.support.integer_bundles import small_integer_bundle
from tests.support.random_bundles import random_bundle

BUNDLES = {
    "bits": random_bundle(np.random.default_rng(1), [("bgru", 5)], bins=9),
    "integers": small_integer_bundle(),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_job_gives_the_text_that_a_bitstream_is_made_of(name, tmp_path, monkeypatch):
    write_bundle(BUNDLES[name], tmp_path / "net")
    files, board = bundle_files(tmp_path / "net"), find("ulx3s_25f")
    network = lay_out(BUNDLES[name], board, {})
    entries = [top_elaboration(network, board, files), layer_elaboration(network, "gru0", files)]
    found = []
    for cache in ("of the job", "of the command"):
        monkeypatch.setenv("BGRU_CACHE", str(tmp_path / cache))
        if cache == "of the job":
            found.append([read_texts(entry.made()) for entry in entries])
        else:
            rtlil, constraints = top_rtlil(placeholder(network), board)
            top = {"top.il": rtlil, "top.lpf": constraints}
            found.append([top, {"layer.il": layer_rtlil(network, "gru0")}])
            assert all(entry.path.is_dir() for entry in entries)
    assert found[0] == found[1]

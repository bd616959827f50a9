"""The outside programs."""

import pytest

from cosim.tools import require, require_header, simulator_path
from model.errors import BadInput


def test_a_program_that_is_there_is_fine():
    require("g++", "make", "perl")


def test_a_missing_header_is_named_with_how_to_install_it():
    with pytest.raises(BadInput, match=r"nowhere\.h: .* install it with: apt-get install nowhere"):
        require_header("nowhere.h", "apt-get install nowhere")


def test_an_unknown_simulator_is_refused():
    with pytest.raises(BadInput, match="expected verilator or icarus, got 'vcs'"):
        simulator_path("vcs", waves=False)

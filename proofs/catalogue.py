"""All proofs."""

from proofs import (
    arithmetic,
    audio,
    audio_passes,
    axi,
    axi_denoiser,
    bgru,
    engine,
    features,
    flash,
    input_buffer,
    integers,
    link,
    memory,
    netlist,
    repack,
    sdram,
    sequencer,
    sound,
    weights,
)
from proofs.proof import Proof

__all__ = ["PROOFS"]

MODULES = (
    arithmetic,
    repack,
    input_buffer,
    engine,
    memory,
    bgru,
    integers,
    audio,
    audio_passes,
    sequencer,
    features,
    axi,
    axi_denoiser,
    link,
    flash,
    sdram,
    weights,
    sound,
    netlist,
)

PROOFS: dict[str, Proof] = {proof.name: proof for module in MODULES for proof in module.PROOFS}
"""By name, in the order of the table."""

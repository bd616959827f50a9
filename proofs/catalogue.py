"""All proofs."""

from proofs import arithmetic, axi, axi_denoiser, engine, flash, input_buffer, link, netlist, repack
from proofs.proof import Proof

__all__ = ["PROOFS"]

MODULES = (arithmetic, repack, input_buffer, engine, axi, axi_denoiser, link, flash, netlist)

PROOFS: dict[str, Proof] = {proof.name: proof for module in MODULES for proof in module.PROOFS}
"""By name, in the order of the table."""

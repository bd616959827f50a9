"""All proofs."""

from proofs import arithmetic, engine, flash, input_buffer, link, repack
from proofs.proof import Proof

__all__ = ["PROOFS"]

MODULES = (arithmetic, repack, input_buffer, engine, link, flash)

PROOFS: dict[str, Proof] = {proof.name: proof for module in MODULES for proof in module.PROOFS}
"""By name, in the order of the table."""

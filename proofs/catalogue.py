"""All proofs."""

from proofs import arithmetic, engine, input_buffer, repack
from proofs.proof import Proof

__all__ = ["PROOFS"]

PROOFS: dict[str, Proof] = {
    proof.name: proof for proof in (*arithmetic.PROOFS, *repack.PROOFS, *input_buffer.PROOFS, *engine.PROOFS)
}
"""By name, in the order of the table."""

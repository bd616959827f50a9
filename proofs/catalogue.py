"""All proofs."""

from proofs import arithmetic
from proofs.proof import Proof

__all__ = ["PROOFS"]

PROOFS: dict[str, Proof] = {proof.name: proof for proof in (*arithmetic.PROOFS,)}
"""By name, in the order of the table."""

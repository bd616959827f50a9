"""Software's side of a core: its register map and drivers in C and Python (docs/axi.md)."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hw.gateware.axi import MAGIC, STATUS, AxiStream
from hw.gateware.axi_denoiser import AxiDenoiser

__all__ = ["SUFFIXES", "files"]


SUFFIXES = ("h", "c", "py")


def files(core: AxiStream, name: str) -> dict[str, str]:
    """The drivers of the module `name`, which also begins the names of all that the C driver declares: file to text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    facts = {"name": name, "P": name.upper(), **_facts(core)}
    return {
        f"{name}_driver.{suffix}": environment.get_template(f"driver.{suffix}.jinja").render(facts)
        for suffix in SUFFIXES
    }


def _facts(core: AxiStream) -> dict[str, Any]:
    bundle, samples = core.network.bundle, isinstance(core, AxiDenoiser)
    return {
        "network": bundle.name,
        "samples": samples,
        "registers": core.registers,
        "counters": core.registers[STATUS + 1 :],
        "magic": MAGIC,
        "version": core.version,
        "identity": int.from_bytes(bundle.identity, "little"),
        # What the constant registers read as.
        "constants": (
            {"SAMPLE_RATE": bundle.front_end.sample_rate, "HOP": bundle.front_end.hop}
            if samples
            else {"FEATURES": core.network.spec.frame_bits, "BINS": core.network.spec.mask_bits}
        ),
        "sizes": core.sizes,
    }

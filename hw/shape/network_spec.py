"""NetworkSpec: the shape of a network."""

from collections.abc import Mapping
from dataclasses import dataclass

from hw.shape.family import Family
from hw.shape.folding import Folding
from hw.shape.layer_spec import LayerSpec
from hw.shape.repack import RepackShape
from model.bundle.bundle import Bundle

__all__ = ["NetworkSpec"]


@dataclass(frozen=True)
class NetworkSpec:
    """The shape of a network: its layers in order, and the widths of the words at its ends."""

    layers: tuple[LayerSpec, ...]
    in_width: int
    out_width: int

    @classmethod
    def of(
        cls, bundle: Bundle, foldings: Mapping[str, Folding], family: Family, in_width: int, out_width: int
    ) -> "NetworkSpec":
        """The shape of a bundle's network.

        Raises `BadInput` for a folding beyond its layer (`LayerSpec`), and for a layer that has no hardware.
        """
        layers = tuple(LayerSpec.of(layer, foldings[layer.name], family) for layer in bundle.bitwise)
        return cls(layers, in_width, out_width)

    @property
    def family(self) -> Family:
        """Of its layers, the same for all."""
        return self.layers[0].family

    @property
    def ideal(self) -> int:
        """Sum of the layers' ideal cycles per frame."""
        return sum(layer.ideal for layer in self.layers)

    @property
    def repacks(self) -> list[RepackShape]:
        """Between the words of the input, of the layers and of the output: one before each layer, one behind the last.

        Layer `n` takes what repack `n` gives, and gives what repack `n + 1` takes.
        """
        first = RepackShape(self.layers[0].inputs, self.in_width, self.layers[0].folding.simd)
        sinks = [*(layer.folding.simd for layer in self.layers[1:]), self.out_width]
        return [
            first,
            *(RepackShape(layer.units, layer.folding.pe, sink) for layer, sink in zip(self.layers, sinks, strict=True)),
        ]

"""NetworkSpec: the shape of a network."""

from collections.abc import Mapping
from dataclasses import dataclass

from hw.shape.engine_spec import LOADED
from hw.shape.family import Family
from hw.shape.folding import Folding
from hw.shape.integer_layer_spec import IntegerLayerSpec
from hw.shape.layer_spec import LayerSpec
from hw.shape.repack import RepackShape
from model.bundle.bundle import Bundle
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer
from model.errors import BadInput

__all__ = ["NetworkSpec", "spec_of"]


def spec_of(layer: Layer | IntegerLayer, folding: Folding, family: Family) -> LayerSpec:
    """The shape of a bundle's layer; raises `BadInput` as `LayerSpec` and `IntegerLayerSpec` do."""
    if isinstance(layer, IntegerLayer):
        return IntegerLayerSpec.of_integers(layer, folding, family)
    return LayerSpec.of(layer, folding, family)


@dataclass(frozen=True)
class NetworkSpec:
    """The shape of a network: its layers in order, and the widths of the words at its ends.

    Raises `BadInput` for a layer with the name of another module.
    """

    layers: tuple[LayerSpec, ...]
    in_width: int
    out_width: int

    def __post_init__(self) -> None:
        names = [*self.repack_names, LOADED]  # the contents of memories in a module of that name are dropped
        for layer in self.layers:
            if layer.name in names:
                raise BadInput(
                    f"layer {layer.name}: expected a name that the hardware does not use itself ({', '.join(names)})"
                )

    @classmethod
    def of(
        cls, bundle: Bundle, foldings: Mapping[str, Folding], family: Family, in_width: int, out_width: int
    ) -> "NetworkSpec":
        """The shape of a bundle's network.

        Raises `BadInput` for a folding beyond its layer, and for formats without hardware (`spec_of`).
        """
        layers = tuple(spec_of(layer, foldings[layer.name], family) for layer in bundle.layers)
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
    def frame_bits(self) -> int:
        """Bits of a frame's features."""
        return self.layers[0].inputs * self.layers[0].input_bits

    @property
    def mask_bits(self) -> int:
        """Bits of a frame's mask."""
        return self.layers[-1].units * self.layers[-1].output_bits

    @property
    def repack_names(self) -> list[str]:
        """Names of the repacks, next to those of the layers."""
        return [*(f"into_{layer.name}" for layer in self.layers), "out_of_network"]

    @property
    def repacks(self) -> list[RepackShape]:
        """Between the words of the input, of the layers and of the output: one before each layer, one behind the last.

        Layer `n` takes what repack `n` gives, and gives what repack `n + 1` takes.
        """
        first = self.layers[0]
        sinks = [*(layer.in_width for layer in self.layers[1:]), self.out_width]
        return [
            RepackShape(self.frame_bits, self.in_width, first.in_width),
            *(
                RepackShape(layer.units * layer.output_bits, layer.out_width, sink)
                for layer, sink in zip(self.layers, sinks, strict=True)
            ),
        ]

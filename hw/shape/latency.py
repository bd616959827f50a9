"""How long a frame is on its way through a network that has nothing else to do: predicted from its shape alone."""

from math import gcd

from hw.gateware.network import Network
from hw.gateware.streams import words
from hw.shape.cycles import predict

__all__ = ["entering", "latency", "unhurried"]


def entering(features: int, in_width: int, simd: int) -> int:
    """Cycles from a frame's first word to its last in the first layer's words: one for each piece that is cut."""
    piece = gcd(in_width, simd)
    return words(features, piece) + (piece != in_width) - 1 + (piece != simd)


def latency(network: Network) -> int:
    """Cycles from a frame's first word in to the last word of its mask out, if nobody waits at either end.

    The network is idle before, as it is between frames in real time. Exact if the network is `unhurried`; else results
    wait to be cut into the next layer's words, and it takes longer.
    """
    layers = list(network.layers.values())
    cycles = entering(layers[0].layer.inputs, network.in_width, layers[0].folding.simd)
    sinks = [layer.folding.simd for layer in layers[1:]] + [network.out_width]
    for layer, sink in zip(layers, sinks, strict=True):
        pe, units = layer.folding.pe, layer.layer.units
        piece = gcd(pe, sink)
        # The layer is released as it reads its last word, which then goes through the engine.
        cycles += 1 + predict(layer).alone + layer.engine.latency
        pieces = words(units, piece) - (words(units, pe) - 1) * (pe // piece)
        cycles += (pieces if piece != pe else 0) + (piece != sink)
    return cycles


def unhurried(network: Network) -> bool:
    """Whether every result of every layer is out of the way when the next one comes."""
    layers = list(network.layers.values())
    sinks = [layer.folding.simd for layer in layers[1:]] + [network.out_width]
    for layer, sink in zip(layers, sinks, strict=True):
        pe = layer.folding.pe
        pieces = max(pe // gcd(pe, width) for width in {sink, layer.folding.simd})
        if layer.engine.matrix.words < max(pieces, getattr(layer, "result_interval", 1)):
            return False
    return True

"""Latency of a frame in a network that is otherwise idle, predicted from its shape."""

from hw.shape.cycles import predict
from hw.shape.layer_spec import LayerSpec
from hw.shape.network_spec import NetworkSpec
from hw.shape.repack import RepackShape
from hw.shape.words import words

__all__ = ["entering", "latency", "unhurried"]


def entering(first: LayerSpec, in_width: int) -> int:
    """Cycles from a frame's first word to its last in the first layer's words: one for each piece that is cut."""
    repack = RepackShape(first.inputs * first.input_bits, in_width, first.in_width)
    return repack.pieces + repack.cuts - 1 + repack.joins


def latency(network: NetworkSpec) -> int:
    """Cycles from a frame's first word in to the last word of its mask out, if neither end makes it wait.

    The network is idle before, as it is between frames in real time. Exact if the network is `unhurried`; else a lower
    bound, for results wait to be cut into the next layer's words.
    """
    cycles = entering(network.layers[0], network.in_width)
    for layer, repack in zip(network.layers, network.repacks[1:], strict=True):
        # The layer releases the frame as it reads its last word, which then goes through the engine.
        predicted = predict(layer)
        cycles += predicted.alone + predicted.tail
        last = repack.pieces - (words(repack.length, repack.source) - 1) * repack.per_source
        cycles += (last if repack.cuts else 0) + repack.joins
    return cycles


def unhurried(network: NetworkSpec) -> bool:
    """Whether every result of every layer is out of the way when the next one comes."""
    for layer, repack in zip(network.layers, network.repacks[1:], strict=True):
        pieces = max(repack.per_source, layer.repack.per_source)
        if layer.results_apart < max(pieces, layer.result_interval):
            return False
    return True

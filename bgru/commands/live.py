"""`bgru live`."""

from bgru.options import Bypass, Limit, SmallBundle, bundle_for


def command(bundle: SmallBundle = None, bypass: Bypass = False, limit: Limit = None) -> None:
    """Denoise sound as it comes: raw samples from standard input to standard output.

    Samples are mono, 16 bits, little-endian, at the bundle's rate (16 kHz for the shipped ones). Each hop is computed
    and written as soon as it arrives, so the delay is one window (32 ms with `small`), plus the buffers of the sound
    card and the pipes. It is the audio path of the FPGA, bit for bit.

    Example: `arecord -t raw -f S16_LE -r 16000 | bgru live | aplay -t raw -f S16_LE -r 16000`
    """
    from model.bundle.read import read_bundle
    from model.reference.live import live
    from model.standard import standard_input, standard_output

    live(read_bundle(bundle_for(bundle)), standard_input(), standard_output(), bypass, limit)

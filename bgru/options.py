"""Options shared by several commands, each declared once."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.models import OptionInfo

SAMPLE = "the recording that comes with bgru"


def finite(value: Any) -> Any:
    """Refuse NaN and infinity, which Python parses as numbers and which pass any minimum."""
    for number in value if isinstance(value, list | tuple) else [value]:
        if number is not None and not math.isfinite(number):
            raise typer.BadParameter(f"expected a finite number, got {number}")
    return value


def any_case(value: str | None) -> str | None:
    """A choice in small letters."""
    return value and value.lower()


def board_names() -> list[str]:
    """For completion in the shell."""
    from boards.definitions.registry import BOARDS

    return list(BOARDS)


def _bundle(default: str) -> OptionInfo:
    return typer.Option(
        "--bundle",
        show_default=default,
        help="The network: a bundle's folder, or the name of a shipped one (tiny, small, swift, paper, tiny-int4, "
        "tiny-mixed, small-int4, swift-int4).",
    )


PRESET_HELP = "Network: tiny, small, swift, paper, tiny-int4, tiny-mixed, small-int4 or swift-int4."

BOARD_HELP = "The board; `bgru boards` lists them."
Board = Annotated[str, typer.Option("--board", "-b", autocompletion=board_names, help=BOARD_HELP)]
Boards = Annotated[
    str | None,
    typer.Option(
        "--board",
        "-b",
        metavar="BOARD,...",
        show_default="ulx3s_85f; without --bundle, those of each shipped network",
        autocompletion=board_names,
        help=BOARD_HELP,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", show_default="none", help="A Dask scheduler, such as tcp://host:8786, with workers."),
]
WORKERS_HELP = "Worker processes here, without --scheduler."
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, show_default="one per core", help=WORKERS_HELP),
]
Bundle = Annotated[Path | None, _bundle("the board's: small on ulx3s_85f, tiny on smaller boards")]
SweptBundle = Annotated[Path | None, _bundle("the board's; without --board, every shipped one that fits a board")]
"""Of a command that takes all shipped ones."""
SmallBundle = Annotated[Path | None, _bundle("small")]
"""Of a command that needs no board."""
LargeBundle = Annotated[Path | None, _bundle("random weights in the paper's size")]
"""Of a command for networks that fill no block RAM."""
Fold = Annotated[
    list[str] | None,
    typer.Option(
        "--fold",
        metavar="LAYER=PExSIMD",
        show_default="what `bgru plan` chooses",
        help="Rows x columns of a layer per cycle, such as gru0=2x64; `-packed` after it stores five weights in eight "
        "bits. Repeatable.",
    ),
]
CLOCK_HELP = "Clock of the network in MHz."
Clock = Annotated[
    float | None,
    typer.Option("--clock", min=0.001, callback=finite, show_default="the board's", help=CLOCK_HELP),
]
Build = Annotated[Path, typer.Option("--build", help="Folder for results.")]
Recording = Annotated[
    Path | None,
    typer.Option("--recording", show_default=SAMPLE, help="Noisy recording: WAV, FLAC, ... at any sample rate."),
]
Recordings = Annotated[
    list[Path] | None,
    typer.Option("--recording", show_default=SAMPLE, help="Noisy recording: WAV, FLAC, ... at any sample rate."),
]
Frames = Annotated[
    int | None,
    typer.Option("--frames", min=2, show_default="all", help="Simulate only the first frames, two or more."),
]
Speech = Annotated[Path, typer.Option("--speech", help="A folder of speech, as `speaker/utterance` recordings.")]
SpeechFolders = Annotated[
    list[Path], typer.Option("--speech", help="A folder of speech, as `speaker/utterance` recordings.")
]
Noise = Annotated[Path, typer.Option("--noise", help="A folder of recordings of noise.")]
NoiseFolders = Annotated[list[Path], typer.Option("--noise", help="A folder of recordings of noise.")]
Notice = Annotated[
    Path | None,
    typer.Option("--notice", show_default=False, help="A text file: licence and attribution of the recordings."),
]
SEEDS_HELP = "Placements to try, with seeds 1, 2, ...; `bgru bitstream` takes the first that meets the clock."
SIM_HELP = "verilator or icarus."
SNR_HELP = "Signal-to-noise ratio in dB."
SEED_HELP = "Seed of every random choice."
Seed = Annotated[int | None, typer.Option("--seed", min=0, show_default="0", help=SEED_HELP)]
OUT_HELP = "Folder for the results; training resumes from a checkpoint in it."
Run = Annotated[Path, typer.Option("--out", help=OUT_HELP)]
Folder = Annotated[Path | None, typer.Option("--out", show_default=False, help=OUT_HELP)]
Noisy = Annotated[
    Path | None,
    typer.Argument(
        show_default=SAMPLE, help="Noisy recording: WAV, FLAC, ... at any sample rate; - is standard input."
    ),
]
Bypass = Annotated[
    bool,
    typer.Option(
        "--bypass", help="Keep every bin, as if there were no network: outputs the input with the same delay."
    ),
]
Limit = Annotated[
    float | None,
    typer.Option(
        "--limit",
        min=0.01,
        callback=finite,
        show_default="none",
        help="Largest attenuation of a bin in dB: leaves more noise, and speech sounds more natural. 12 is usual.",
    ),
]
Output = Annotated[Path, typer.Argument(help="File for the denoised recording: .wav or .flac, or - for a pipe.")]
Audio = Annotated[bool, typer.Option("--audio", help="Use the whole denoiser: 16-bit samples in and out.")]
Sound = Annotated[
    str | None,
    typer.Option(
        callback=any_case,
        show_default=False,
        help="The whole denoiser, with sound from: codec, microphone or jack; a bitstream also: uart.",
    ),
]

DEFAULT_BOARD = "ulx3s_85f"
DEFAULT_BUILD = Path("build")
DEFAULT_OUTPUT = Path("build/denoised.wav")


def bundle_for(given: Path | None, board: str = DEFAULT_BOARD) -> Path:
    """The bundle's folder: as given, a shipped one by its name, or the board's own."""
    from boards.definitions.registry import find
    from model.errors import BadInput
    from model.shipped import bundle_folder, bundle_names

    if given is None:
        return bundle_folder(find(board).bundle)
    if given.parts != (given.name,) or given.exists():
        return given
    if given.name.lower() not in bundle_names():
        raise BadInput(f"{given}: expected a bundle's folder or one of {', '.join(bundle_names())}, found neither")
    return bundle_folder(given.name.lower())


def recording_or_sample(given: Path | None) -> Path:
    """The recording as given, or the shipped sample."""
    from model.shipped import recording

    return recording() if given is None else given

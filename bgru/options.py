"""Options that several commands share, each declared and worded once."""

from pathlib import Path
from typing import Annotated

import typer

Board = Annotated[str, typer.Option("--board", "-b", help="The board; `bgru boards` lists them.")]
Bundle = Annotated[
    Path | None,
    typer.Option("--bundle", help="The network: a folder, or the name of a shipped one (tiny, small, paper)."),
]
Fold = Annotated[
    list[str] | None,
    typer.Option(
        "--fold",
        help="LAYER=PExSIMD, such as gru0=2x64; `-packed` after it stores five weights in eight bits. Repeatable. "
        "The plan chooses what is left open.",
    ),
]
Clock = Annotated[float | None, typer.Option("--clock", help="MHz of the network; the board's own if not given.")]
Build = Annotated[Path, typer.Option("--build", help="Folder for results.")]
Recording = Annotated[
    Path | None,
    typer.Option("--recording", help="Noisy recording (WAV, FLAC, ...) of any rate; the shipped sample if not given."),
]
Frames = Annotated[int | None, typer.Option("--frames", min=2, help="Simulate only the first frames, two or more.")]
Speech = Annotated[Path, typer.Option("--speech", help="Speech: any folder of `speaker/utterance` recordings.")]
Noise = Annotated[Path, typer.Option("--noise", help="Noise: any folder of recordings.")]
Notice = Annotated[
    Path | None, typer.Option("--notice", help="A text file with licence and attribution of the recordings.")
]
Json = Annotated[Path | None, typer.Option("--json", help="Where the figures go as JSON; the usual file if not given.")]
Noisy = Annotated[Path, typer.Argument(help="Noisy recording (WAV, FLAC, ...) of any rate and length.")]
Output = Annotated[Path, typer.Argument(help="Where the denoised recording goes (WAV or FLAC).")]

DEFAULT_BOARD = "ulx3s_85f"
DEFAULT_BUILD = Path("build")


def bundle_for(given: Path | None, board: str = DEFAULT_BOARD) -> Path:
    """The bundle's folder: as given, a shipped one by its name, or the board's own."""
    from boards.definitions.registry import find
    from model.shipped import bundle_folder

    if given is None:
        return bundle_folder(find(board).bundle)
    shipped = bundle_folder(given.name)
    return shipped if given.parts == (given.name,) and not given.exists() and shipped.is_dir() else given


def recording_or_sample(given: Path | None) -> Path:
    """The recording as given, or the shipped sample."""
    from model.shipped import recording

    return recording() if given is None else given

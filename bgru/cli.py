"""`bgru`: the project's only command. Subcommands load quickly; each imports what it needs when it runs."""

import signal
import sys
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from threading import Timer, get_ident
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from model.errors import BadInput

TRAINING = ("torch", "safetensors", "fast_bss_eval", "pystoi", "pyroomacoustics", "pesq")
EXTRAS = {**dict.fromkeys(TRAINING, "train"), "onnx": "onnx"}
"""Packages that only some commands need, and the extra of `pyproject.toml` that brings each."""

GROUPS = {
    "Hear it": ("denoise", "live", "spectrogram"),
    "Check it": ("sim", "fuzz", "prove", "loop", "board", "report"),
    "Build it": ("boards", "wiring", "plan", "sweep", "verilog", "bitstream", "memtest", "host", "ip", "onnx"),
    "Train it": ("train", "import", "study", "sample", "convert"),
    "Measure it": ("bench", "compare", "skipping", "dac", "calibrate", "speed", "jobs"),
}
"""Subcommands, by task."""


class Commands(TyperGroup):
    """Turns bad input into one sentence and exit code 2; anything else is our bug and keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BadInput as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            sys.exit(130)
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            extra = EXTRAS[error.name]
            install = f"pip install 'bgru-fpga[{extra}]', in a checkout: make .venv/{extra}.installed"
            print(f"error: {error.name}: expected this package, found none; {install}", file=sys.stderr)
            sys.exit(2)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"bgru {version('bgru-fpga')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Turn a bitwise recurrent network into an FPGA, bit for bit.

    Denoise a recording, check the hardware against the golden model in a simulator, build a bitstream, train a network
    of your own. Start with `bgru denoise` and `bgru sim`: both take a recording that comes with bgru.
    """


for panel, names in GROUPS.items():
    for name in names:
        module = import_module(f"bgru.commands.{name}")
        if isinstance(module.command, typer.Typer):
            app.add_typer(module.command, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel)(module.command)


def keep_interrupts() -> None:
    """Raise an interrupt again that Python drops, because it came in a destructor or a callback."""

    def again(lost: Any) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            Timer(0.01, signal.pthread_kill, [get_ident(), signal.SIGINT]).start()  # this hook may not raise, either
        else:
            sys.__unraisablehook__(lost)

    sys.unraisablehook = again


def main() -> None:
    """Entry point."""
    keep_interrupts()
    if isinstance(sys.stdout, TextIOWrapper):  # file names may not be text; Python does the same for standard error
        sys.stdout.reconfigure(errors="backslashreplace")
    app(prog_name="bgru")

"""`bgru boards`."""


def command() -> None:
    """List the boards: FPGA, clock, LUT4, RAM, and the default bundle of each.

    Example: `bgru boards`
    """
    from rich.table import Table

    from boards.definitions.registry import BOARDS
    from model.console import console

    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for head in ("board", "FPGA", "MHz", "LUT4", "block RAM", "SPRAM", "bundle"):
        table.add_column(head, justify="left" if head in ("board", "FPGA", "bundle") else "right")
    for board in BOARDS.values():
        counts = (f"{board.available[kind]:,}" if kind in board.available else "-" for kind in KINDS)
        table.add_row(board.name, board.device, f"{board.clock_hz / 1e6:g}", *counts, board.bundle)
    console.print(table)


KINDS = ("lut4", "block_ram", "spram")

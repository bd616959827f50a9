"""The packers' options: a design's pins are the design's."""

from functools import cache
from pathlib import Path

import apycula
import pytest
from apycula.chipdb import load_chipdb

from boards.definitions.registry import BOARDS
from boards.definitions.sound import CODEC, MICROPHONE
from boards.flow.packers import PACKERS

FLAGS = {
    **dict.fromkeys(("SCLK", "SI", "SO", "SSPI_CS_N", "DIN", "DOUT"), "--sspi_as_gpio"),
    **dict.fromkeys(("MI", "MO", "MCLK", "MCS_N"), "--mspi_as_gpio"),
    **dict.fromkeys(("TMS", "TCK", "TDI", "TDO"), "--jtag_as_gpio"),
    **{"READY": "--ready_as_gpio", "DONE": "--done_as_gpio", "RECONFIG_N": "--reconfign_as_gpio"},
}
"""What a pin does during configuration (Gowin UG290, "Configuration Pin Reuse") to the flag that releases it."""


@cache
def functions(part: str) -> dict[str, list[str]]:
    """The functions of each pin of a GW2A, by the database that gowin_pack uses."""
    database = load_chipdb(Path(apycula.__file__).parent / "GW2A-18C.msgpack.xz")
    package, device, _ = database.packages[part]
    return {pin: list(found) for pin, (_, found) in database.pinout[device][package].items()}


@pytest.mark.parametrize("name", [board.name for board in BOARDS.values() if board.family.name == "gowin"])
def test_configuration_pins_that_a_gowin_board_uses_are_released(name):
    board = BOARDS[name]
    platform = board.platform()
    platform.add_resources(board.sound)
    for resource in (("uart", 0), board.alive, board.error, board.bypass, MICROPHONE, CODEC):
        platform.request(*resource, dir="-")
    used = {FLAGS[what] for pin in platform._phys_reqd for what in functions(platform.part)[pin] if what in FLAGS}
    assert used <= set(PACKERS["gowin"].options)

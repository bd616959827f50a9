"""The circuit around a component: free inputs, constants, assumptions, assertions."""

import sys
from collections.abc import Callable
from types import FrameType, SimpleNamespace
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import (
    Assert,
    Assume,
    ClockDomain,
    Elaboratable,
    Fragment,
    Instance,
    Module,
    Signal,
    Value,
    ValueCastable,
    ValueLike,
)

from hw.flow.rtl import ports_of

__all__ = ["Harness", "anything"]

TRACED = ("hw.", "boards.", "amaranth.lib.fifo", "amaranth.lib.crc")
"""Modules whose functions `Harness.inside` knows."""


class _Elaborated(Elaboratable):
    """A component that is already elaborated, so that its inner signals are known."""

    def __init__(self, fragment: Fragment) -> None:
        self.fragment = fragment

    def elaborate(self, platform: object) -> Fragment:
        return self.fragment


def anything(m: Module, shape: Any, name: str, *, fixed: bool = False) -> Any:
    """A signal that may have any value in any cycle, or with `fixed` any one value in all cycles."""
    signal = Signal(shape, name=name)
    value = signal.as_value() if isinstance(signal, ValueCastable) else Value.cast(signal)
    m.submodules += Instance("$anyconst" if fixed else "$anyseq", p_WIDTH=len(value), o_Y=value)
    return signal


class Harness:
    """A module with components whose inputs are free, and statements about them.

    m : the module, for any other logic
    begun : 1 from the second cycle on
    There is no reset: the first cycle is the one after it.
    """

    def __init__(self) -> None:
        self.m = Module()
        self.m.domains += (sync := ClockDomain("sync", reset_less=True))
        self._ports: dict[str, tuple[Any, None]] = {"clk": (sync.clk, None)}
        self._fragments: dict[int, Fragment] = {}
        self._calls: list[tuple[str, dict[str, Any]]] = []
        self.begun = Signal()
        self.m.d.sync += self.begun.eq(1)

    def component(self, component: Any, name: str = "dut") -> Any:
        """Add a component; those of its inputs that nobody drives are free. Returns the component."""

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "return" and frame.f_globals.get("__name__", "").startswith(TRACED):
                self._calls.append((frame.f_code.co_name, dict(frame.f_locals)))

        sys.setprofile(note)
        try:
            fragment = Fragment.get(component, None)
        finally:
            sys.setprofile(None)
        self._fragments[id(component)] = fragment
        self.m.submodules[name] = _Elaborated(fragment)
        for port, value in ports_of(component, probes=True).items():
            if len(value[0]):  # yosys-smtbmc writes no waveform with a port of no bits
                self._ports[f"{name}__{port}"] = value
        return component

    @staticmethod
    def hollow(component: Any) -> Any:
        """Leave only a part's ports: the harness drives its outputs."""
        vars(component)["elaborate"] = lambda platform: Module()
        return component

    def inside(self, component: Any, function: Callable[..., Any]) -> SimpleNamespace:
        """The local variables of one of a component's functions, such as `Repack.elaborate`. Invariants need them.

        A function without `self` is that of any component: the last call counts.
        """
        name = function.__name__
        calls = (found for called, found in reversed(self._calls) if called == name)
        return SimpleNamespace(**next(found for found in calls if found.get("self", component) is component))

    def signal(self, component: Any, name: str) -> Signal:
        """The one signal with this name in a component and its parts, where no function has it in a variable."""
        fragments, found = [self._fragments[id(component)]], {}
        for fragment in fragments:
            fragments += [part for part, *_ in fragment.subfragments]
            for statement in (each for statements in fragment.statements.values() for each in statements):
                for signal in [*statement._lhs_signals(), *statement._rhs_signals()]:
                    found[id(signal)] = signal
        (named,) = (signal for signal in found.values() if signal.name == name)
        return named

    def free(self, shape: Any, name: str) -> Any:
        """An input that may have any value in any cycle."""
        return anything(self.m, shape, name)

    def fixed(self, shape: Any, name: str) -> Any:
        """An arbitrary value that never changes."""
        return anything(self.m, shape, name, fixed=True)

    def past(self, value: ValueLike, cycles: int = 1) -> Value:
        """The value `cycles` cycles earlier; 0 before the first cycle."""
        value = Value.cast(value)
        for _ in range(cycles):
            register = Signal(value.shape(), name="past")
            self.m.d.sync += register.eq(value)
            value = register
        return value

    def assume(self, condition: ValueLike) -> None:
        """What the environment guarantees, in every cycle."""
        self.m.d.comb += Assume(condition)

    def check(self, condition: ValueLike) -> None:
        """What must hold, in every cycle."""
        self.m.d.comb += Assert(condition)

    def rtlil(self) -> str:
        """The circuit for `proofs.prover`."""
        text = str(rtlil.convert(self.m, name="top", ports=self._ports, emit_src=False))
        return text.replace(r"cell \$any", "cell $any")

"""A proof: a sentence about a component, a circuit that asserts it, and mutants that it must refute."""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Kind", "Mutant", "Proof"]

Kind = Literal["induction", "bounded"]
"""Whether it holds for ever, or for `depth` cycles from reset."""


@dataclass(frozen=True)
class Mutant:
    """A small deliberate change of the design: in the source of `function`, `old` becomes `new`.

    `old` must be there exactly once, so that a mutant never outlives the line that it changes.
    """

    function: Callable[..., Any]
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.function.__qualname__}: {' '.join(self.old.split())} -> {' '.join(self.new.split())}"

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The changed function in place of the original, for everything that calls it."""
        source = textwrap.dedent(inspect.getsource(self.function))
        if source.count(self.old) != 1:
            raise ValueError(f"mutant: expected {self.old!r} once in {self.function.__qualname__}, found another count")
        names: dict[str, Any] = {}
        exec(compile(source.replace(self.old, self.new), str(self), "exec"), self.function.__globals__, names)
        original = self.function.__code__
        self.function.__code__ = names[self.function.__name__].__code__
        try:
            yield
        finally:
            self.function.__code__ = original


@dataclass(frozen=True)
class Proof:
    """A property, proved by Yosys and z3.

    name : short, unique
    sentence : what holds
    component : the file that it is about
    make : the circuit with the assertions in it, as RTLIL with the top module `top`
    kind, depth : by k-induction with k = `depth`, for ever; or for `depth` cycles from reset
    mutants : each must be refuted
    reach : cycles from reset in which a mutant must be refuted
    """

    name: str
    sentence: str
    component: str
    make: Callable[[], str]
    kind: Kind
    depth: int
    mutants: tuple[Mutant, ...]
    reach: int = 30

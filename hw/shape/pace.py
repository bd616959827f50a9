"""Pace: a network's cycles at a clock, against the frames of its front end."""

from dataclasses import dataclass

__all__ = ["Pace"]


@dataclass(frozen=True)
class Pace:
    """How fast a network runs, and how fast it must.

    interval : cycles from frame to frame (initiation interval)
    latency : cycles from a frame's first word in to its last word out
    clock_hz : of the network
    frame_rate : frames a second that come
    """

    interval: int
    latency: int
    clock_hz: int
    frame_rate: float

    @property
    def rate(self) -> float:
        """Frames a second that the network can take."""
        return self.clock_hz / self.interval

    @property
    def real_time(self) -> float:
        """How many times faster than real time."""
        return self.rate / self.frame_rate

    @property
    def hop(self) -> float:
        """Cycles from one frame's arrival to the next: the deadline."""
        return self.clock_hz / self.frame_rate

    @property
    def slack(self) -> float:
        """Cycles to spare between frames."""
        return self.hop - self.interval

    @property
    def least_mhz(self) -> float:
        """The clock from which on the network keeps up."""
        return self.interval * self.frame_rate / 1e6

    def ms(self, cycles: float) -> float:
        """Cycles in milliseconds."""
        return 1e3 * cycles / self.clock_hz

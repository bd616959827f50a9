"""Work of several steps: the jobs of a step depend on the results of the one before."""

from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

from jobs.queue import Job, Outcome, Queue

__all__ = ["Steps", "Work"]

T = TypeVar("T")

Work = Generator[list[Job], list[Outcome], T]
"""Yields the jobs of a step, gets their outcomes in the same order; returns the result."""


class Steps(Generic[T]):
    """Works that share a queue, each at its own pace. Feed `ended` with the queue's outcomes."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.works: dict[int, Work[T]] = {}
        self.steps: dict[int, list[Job]] = {}
        self.outcomes: dict[int, dict[int, Outcome]] = {}
        self.of: dict[int, int] = {}

    def start(self, name: int, work: Work[T]) -> None:
        """Add the jobs of a work's first step; `name` is the caller's."""
        self.works[name] = work
        jobs = next(work)
        for job in jobs:
            self.queue.add(job)
        self._wait(name, jobs)

    def _wait(self, name: int, jobs: list[Job]) -> None:
        assert jobs, "a step without jobs would never end"
        self.steps[name], self.outcomes[name] = jobs, {}
        self.of |= {id(job): name for job in jobs}

    def ended(self, outcome: Outcome) -> Iterator[tuple[int, T]]:
        """Take note of a job's end; yields the name and the result of a work that it completes."""
        name = self.of.pop(id(outcome.job))
        found, jobs = self.outcomes[name], self.steps[name]
        found[id(outcome.job)] = outcome
        if len(found) < len(jobs):
            return
        try:
            jobs = self.works[name].send([found[id(job)] for job in jobs])
        except StopIteration as end:
            del self.works[name], self.steps[name], self.outcomes[name]
            yield name, end.value
        else:
            for job in reversed(jobs):  # a work that has begun goes before those that have not
                self.queue.add(job, first=True)
            self._wait(name, jobs)

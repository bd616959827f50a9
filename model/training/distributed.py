"""The processes that train one network together: one alone, or several under `torchrun`."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from model.errors import BadInput
from model.training.bernoulli import Draw

PATIENCE = timedelta(days=1)
"""How long processes wait for one another: as long as one of them may score. Where one dies, `torchrun` ends them."""

FAILED = "failed"
"""Counts, where all processes see it, those that met bad input."""


@dataclass(frozen=True)
class Team:
    """The place of this process among `size`, and the device it computes on.

    Every process works on its own sequences of the same batch, and gradients are averaged: the result is that of one
    process with the whole batch, but for the order of sums.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this process is the one that validates, prints and writes."""
        return self.rank == 0

    def share(self, sequences: int) -> range:
        """Which of a batch's sequences are this process's. Raises `BadInput` where they can't be dealt evenly."""
        if sequences % self.size:
            raise BadInput(f"setting sequences: expected a multiple of the {self.size} processes, got {sequences}")
        own = sequences // self.size
        return range(self.rank * own, (self.rank + 1) * own)

    def draw(self, seed: int) -> Draw:
        """The masks of a seed, this process's part of them."""
        return Draw(seed, self.device, self.rank, self.size)

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network, with gradients averaged over the team where it has more than one process."""
        if self.size == 1:
            return network
        # The initial state has no gradient in the later stretches of a sequence.
        return DistributedDataParallel(network, forward_sync_buffers=False, find_unused_parameters=True)

    def mean(self, value: float) -> float:
        """The mean of one number per process."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total) / self.size

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def join() -> Iterator[Team]:
    """The team that `torchrun` started this process in (gloo on the CPU, NCCL on GPUs), or a team of one.

    Bad input that one process meets, or all, is the end of all: one of them says it, the others end without a word.
    Nor do they log what the one that leads logs.
    """
    gpu = torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team(device=device)
        return
    store, rank, size = next(rendezvous("env://"))
    dist.init_process_group("nccl" if gpu else "gloo", timeout=PATIENCE, store=store, rank=rank, world_size=size)
    if rank > 0:
        logging.disable()
    try:
        yield Team(rank, size, device)
    except BadInput:
        if store.add(FAILED, 1) > 1:
            sys.exit(2)
        raise
    except RuntimeError:  # where another process is gone, collectives raise it
        if store.add(FAILED, 0) > 0:
            sys.exit(2)
        raise
    dist.destroy_process_group()  # not on the way out of an error, when others may still wait for this process

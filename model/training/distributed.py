"""The processes that train one network: one alone, or several under `torchrun`."""

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
"""How long processes wait for each other: as long as one may take to score. If one dies, `torchrun` ends them."""

FAILED = "failed"
"""Shared count of the processes with bad input."""


@dataclass(frozen=True)
class Team:
    """The place of this process among `size`, and the device it computes on.

    Every process works on its own sequences of the same batch, and gradients are averaged: the result is that of one
    process with the whole batch, up to the order of sums.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this process validates, prints and writes."""
        return self.rank == 0

    def share(self, sequences: int) -> range:
        """The sequences of a batch for this process. Raises `BadInput` if they can't be divided evenly."""
        if sequences % self.size:
            raise BadInput(f"setting sequences: expected a multiple of the {self.size} processes, got {sequences}")
        own = sequences // self.size
        return range(self.rank * own, (self.rank + 1) * own)

    def draw(self, seed: int) -> Draw:
        """The masks of a seed, this process's part of them."""
        return Draw(seed, self.device, self.rank, self.size)

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network, with gradients averaged over the team if it has more than one process."""
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

    Bad input in one process ends all of them: one prints the error, the others exit silently. Only the leading process
    writes the log.
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
    except RuntimeError:  # collectives raise it if another process is gone
        if store.add(FAILED, 0) > 0:
            sys.exit(2)
        raise
    dist.destroy_process_group()  # not after an error, when others may still wait for this process

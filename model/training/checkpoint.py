"""Training state in one file, which is either complete or absent.

A checkpoint is a safetensors file, never pickle: tensors of the network, of Adam and of the best network so far, and
in its header the rest of the state as JSON. It replaces the previous one in a single rename.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialised
from torch import Tensor

from model.errors import BadInput
from model.files import replacing

Tensors = dict[str, Tensor]


def save(path: Path, groups: dict[str, Tensors], state: dict[str, Any]) -> None:
    """Write named groups of tensors and a JSON state.

    Files left by a process killed while saving are removed. Raises `BadInput` if the disk is full.
    """
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink()
    flat = {
        f"{group}/{name}": tensor.contiguous() for group, tensors in groups.items() for name, tensor in tensors.items()
    }
    with replacing(path) as temporary:
        temporary.write_bytes(serialised(flat, metadata={"state": json.dumps(state)}))


def load(path: Path) -> tuple[dict[str, Tensors], dict[str, Any]]:
    """The inverse of `save`. Raises `BadInput` for a file that isn't a checkpoint."""
    groups: dict[str, Tensors] = {}
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            for key in file.keys():  # noqa: SIM118 (not a mapping)
                group, name = key.split("/", 1)
                groups.setdefault(group, {})[name] = file.get_tensor(key)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{path}: expected a checkpoint of model.training.train, got {error!r}; remove it to start again"
        ) from None
    return groups, state


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> Tensors:
    """The optimiser's state as flat names: `parameter.key`."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{key}": value for index, entry in state.items() for key, value in entry.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Load the tensors of `optimiser_tensors` into a fresh optimiser of the same parameters."""
    state: dict[int, Tensors] = {}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})

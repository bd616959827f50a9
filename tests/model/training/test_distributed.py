"""What each of several processes gets of the work; that they do it together is tested in test_train.py."""

import pytest

torch = pytest.importorskip("torch")

from model.errors import BadInput  # noqa: E402 (after importorskip)
from model.training import distributed  # noqa: E402 (after importorskip)
from model.training.distributed import Team  # noqa: E402 (after importorskip)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_shares_are_equal_and_together_the_whole_batch(size: int) -> None:
    shares = [Team(rank, size).share(6) for rank in range(size)]
    assert {len(share) for share in shares} == {6 // size}
    assert [index for share in shares for index in share] == list(range(6))


def test_a_batch_that_cannot_be_dealt_evenly_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^setting sequences: expected a multiple of the 4 processes, got 6$"):
        Team(0, 4).share(6)


def test_one_process_leads_and_draws_masks_of_its_own_sequences() -> None:
    members = [Team(rank, 3) for rank in range(3)]
    assert [member.leads for member in members] == [True, False, False]
    masks = [member.draw(5).of_sequences(0.5, (4, 2, 7)) for member in members]
    assert torch.equal(torch.cat(masks, 1), Team().draw(5).of_sequences(0.5, (4, 6, 7)))


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    network = torch.nn.Linear(2, 2)
    with distributed.join() as alone:
        assert (alone.rank, alone.size, alone.leads) == (0, 1, True)
        assert alone.mean(0.25) == 0.25
        assert alone.wrap(network) is network
        alone.wait()

import pytest
import torch

from worker.lab.training.objective import advantages, clipped_loss, divergence

ALL = torch.ones(2, 3, dtype=torch.bool)


def test_advantages_are_normalised_within_the_group() -> None:
    better = advantages([0.0, 1.0, 2.0, 1.0])
    assert better.mean().item() == pytest.approx(0, abs=1e-6)
    assert better.std(correction=0).item() == pytest.approx(1, abs=1e-3)
    assert better.argmax().item() == 2


def test_replies_that_earned_alike_teach_nothing() -> None:
    assert advantages([0.7] * 4).abs().max().item() < 1e-3


def test_the_better_reply_becomes_likelier() -> None:
    now = torch.full((2, 3), -1.0, requires_grad=True)
    clipped_loss(now, now.detach(), torch.tensor([1.0, -1.0]), ALL, 0.2).backward()  # type: ignore[no-untyped-call]
    assert now.grad is not None
    assert (now.grad[0] < 0).all()
    assert (now.grad[1] > 0).all()


def test_beyond_the_clip_nothing_more_is_gained() -> None:
    now = torch.tensor([[-0.5, -1.0, -1.0], [-1.5, -1.0, -1.0]], requires_grad=True)  # the first tokens moved as they should, far
    clipped_loss(now, torch.full((2, 3), -1.0), torch.tensor([1.0, -1.0]), ALL, 0.2).backward()  # type: ignore[no-untyped-call]
    assert now.grad is not None
    assert now.grad[:, 0].tolist() == [0.0, 0.0]
    assert (now.grad[:, 1:] != 0).all()


def test_replies_count_alike_whatever_their_length() -> None:
    now = torch.zeros(2, 3)
    said = torch.tensor([[True, True, True], [True, False, False]])
    assert clipped_loss(now, now, torch.tensor([1.0, -1.0]), said, 0.2).item() == pytest.approx(0)


def test_divergence_is_nothing_at_the_beginning_and_positive_on_both_sides() -> None:
    now = torch.zeros(2, 3)
    assert divergence(now, now, ALL).item() == 0
    assert divergence(now, now + 0.3, ALL).item() > 0
    assert divergence(now, now - 0.3, ALL).item() > 0


def test_what_follows_a_replys_end_does_not_count() -> None:
    said = torch.tensor([[True, True, False], [True, True, True]])
    now = torch.zeros(2, 3)
    before = torch.tensor([[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]])
    assert divergence(now, before, said).item() == 0

"""GRPO: replies to one question are drawn in a group, and those that earn more than the group's mean become likelier.

The rewards, the group of four and, for a whole 7B model, the learning rate of 1e-5 are ZoomIn's as published (METHOD.md); the other
numbers are not published and ours. Replies are drawn under the engine's grammar, so that their form is nearly free: what the reward for
it still teaches is to end before the token limit does.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from worker.lab.labels import Label
from worker.lab.training.loop import BETAS, CLIP_NORM, Schedule
from worker.lab.training.objective import advantages, clipped_loss, divergence
from worker.lab.training.policy import Adapters, Policy
from worker.lab.training.rewards import Part, Rewards
from worker.lab.training.rollouts import Examiner, Group
from worker.lab.training.state import STATE, Learnt, in_words, resume_state, save_state
from worker.lab.training.step_log import append_step, forget_after, read_steps

LOG = "rewards.jsonl"
SAVE_SECONDS = 60.0  # between states: what an interrupt costs at most, beside the step under way


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpoPlan:
    """Every number of the training."""

    schedule: Schedule
    seed: int = 20_510
    pictures: int = 2  # a step
    replies: int = 4  # to each question: the published G
    updates: int = 2  # of the policy on the same replies; from the second on, the ratio is not 1
    clip: float = 0.2  # of the ratio, on both sides
    divergence_cost: float = 0.04  # of each nat a token
    adapters: Adapters | None = None  # LoRA; None trains the language part whole


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpoProgress:
    """What one step's replies earned before it learnt from them, and how far the policy had gone from where it began."""

    step: int
    steps: int
    rewards: Rewards  # means over the replies that each part applies to
    divergence: float  # nats a token
    seconds: float  # of this run


def train_policy(
    examiner: Examiner, labels: Sequence[Label], plan: GrpoPlan, folder: Path, origin: str, report: Callable[[GrpoProgress], None]
) -> None:
    """Trains `examiner.policy` until the schedule's end, from where `folder` says it stopped.

    `origin` names what the training began with, checkpoint and data. Raises MisconfiguredError when the state in `folder` is of another
    plan or origin, or damaged; RejectedError for a picture that does not decode; OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trained, schedule = examiner.policy.trained, plan.schedule
    optimizer = torch.optim.AdamW(trained.values(), lr=schedule.learning_rate, betas=BETAS, weight_decay=schedule.weight_decay)
    made_by = in_words(plan) | {"begun with": origin}
    first = resume_state(folder / STATE, partial(_take, trained), optimizer, made_by)
    forget_after(folder / LOG, first)
    begin = saved = time.monotonic()
    for step in range(first, schedule.steps):
        groups = draw_groups(examiner, labels, plan, step)
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        gone = learn(examiner.policy, groups, plan, optimizer)
        seconds = time.monotonic() - begin
        progress = GrpoProgress(step=step + 1, steps=schedule.steps, rewards=mean_rewards(groups), divergence=gone, seconds=seconds)
        append_step(folder / LOG, asdict(progress))
        if step + 1 == schedule.steps or time.monotonic() - saved >= SAVE_SECONDS:
            save_state(folder / STATE, trained, optimizer, made_by, step + 1)
            saved = time.monotonic()
        report(progress)


def draw_groups(examiner: Examiner, labels: Sequence[Label], plan: GrpoPlan, step: int) -> list[Group]:
    """A step's groups: the same policy, plan and step give the same ones."""
    chance = np.random.default_rng([plan.seed, step])
    generator = torch.Generator(examiner.policy.device).manual_seed(int(chance.integers(2**62)))
    chosen = chance.choice(len(labels), min(plan.pictures, len(labels)), replace=False)
    return [group for number in chosen for group in examiner.examine(labels[int(number)], generator)]


def learn(policy: Policy, groups: Sequence[Group], plan: GrpoPlan, optimizer: torch.optim.Optimizer) -> float:
    """Updates the policy on `groups`; how far it was, before, from where it began (nats a token)."""
    drawn_with: list[torch.Tensor] = []
    before = [policy.logprobs_before(group.prompt, group.replies) for group in groups]
    gone = 0.0
    with policy.learning():
        for update in range(plan.updates):
            optimizer.zero_grad(set_to_none=True)
            for number, group in enumerate(groups):
                now = policy.logprobs(group.prompt, group.replies)
                if update == 0:  # as the first update computes them: sampling with a cache rounds otherwise, and the ratio would show it
                    drawn_with.append(now.detach())
                said = group.said(now.device)
                away = divergence(now, before[number], said)
                better = advantages(group.earned).to(now.device)
                loss = clipped_loss(now, drawn_with[number], better, said, plan.clip) + plan.divergence_cost * away
                (loss / len(groups)).backward()  # type: ignore[no-untyped-call]
                gone += float(away.detach()) / len(groups) if update == 0 else 0.0
            nn.utils.clip_grad_norm_(policy.trained.values(), CLIP_NORM)
            optimizer.step()
    return gone


def mean_rewards(groups: Sequence[Group]) -> Rewards:
    """Of each part, over the replies that it applies to."""
    rewards = [reward for group in groups for reward in group.rewards]
    earned = {part: [reward[part] for reward in rewards if part in reward] for part in Part}
    return {part: sum(values) / len(values) for part, values in earned.items() if values}


def read_log(path: Path) -> list[GrpoProgress]:
    """All steps so far."""
    return [
        GrpoProgress(**{**step, "rewards": {Part(part): value for part, value in step["rewards"].items()}}) for step in read_steps(path)
    ]


@torch.no_grad()
def _take(trained: Mapping[str, nn.Parameter], learnt: Learnt) -> None:
    """Raises KeyError or RuntimeError when `learnt` is of another shape."""
    for name, parameter in trained.items():
        parameter.copy_(learnt[name])

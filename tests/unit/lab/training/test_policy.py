from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.unit.lab.training.tiny_policy import REPLIES, load_tiny, write_tiny_checkpoint, written
from worker.lab.training.policy import Adapters, Policy, Prompt
from worker.moderation.boxes import Box
from worker.moderation.outcomes import Verdict
from worker.vision.model import ImagePart
from worker.vision.nano.wording import Grade, scan_reply
from worker.zoomin.prompts import load_prompts
from worker.zoomin.replies import read_scan
from worker.zoomin.scan import scan_turns


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "checkpoint")


def ask(policy: Policy, colour: str = "navy", max_tokens: int = 200) -> Prompt:
    whole = ImagePart(uuid="", pixels=Image.new("RGB", (112, 84), colour))
    turns = scan_turns(whole, load_prompts(), REPLIES["proposed_regions"], policy.checkpoint.convention.coordinates)
    return policy.prompt(turns, policy.scan_guide, max_tokens)


def test_even_an_untrained_policy_replies_in_form(folder: Path) -> None:
    policy = load_tiny(folder)
    replies = policy.sample(ask(policy), 3, torch.Generator().manual_seed(1))
    assert len({reply.text for reply in replies}) == 3
    for reply in replies:
        assert int(reply.ids[-1]) == policy.chat.end_of_turn
        read = read_scan(reply.text)
        assert read.verdict in tuple(Verdict)
        assert 1 <= len(read.regions) <= REPLIES["proposed_regions"]


def test_the_token_limit_cuts_a_reply_off_without_an_end(folder: Path) -> None:
    policy = load_tiny(folder)
    (reply,) = policy.sample(ask(policy, max_tokens=5), 1, torch.Generator().manual_seed(1))
    assert len(reply.ids) == len(reply.masks) == 5
    assert policy.chat.end_of_turn not in reply.ids.tolist()


def test_the_same_seed_draws_the_same_replies(folder: Path) -> None:
    policy = load_tiny(folder)
    first, again, other = (policy.sample(ask(policy), 1, torch.Generator().manual_seed(seed))[0].text for seed in (1, 1, 2))
    assert first == again != other


def test_what_training_says_is_what_the_guide_allows(folder: Path) -> None:
    policy = load_tiny(folder)
    text = scan_reply([(Box(0, 28, 56, 84), Grade.CLEAR)], Verdict.REAL)
    reply = written(policy, ask(policy), text)
    assert policy.logprobs(ask(policy), [reply]).isfinite().all()


def test_logprobs_are_those_of_the_models_own_forward(folder: Path) -> None:
    policy = load_tiny(folder)
    prompt = ask(policy)
    whole = ImagePart(uuid="", pixels=Image.new("RGB", (112, 84), "navy"))
    turns = scan_turns(whole, load_prompts(), REPLIES["proposed_regions"], policy.checkpoint.convention.coordinates)
    (reply,) = policy.sample(prompt, 1, torch.Generator().manual_seed(3))
    seen = policy.chat.processor.image_processor(images=[whole.pixels], do_resize=False, return_tensors="pt")
    asked = [token for one in policy.chat.encode(turns) for token in [one] * (12 if one == policy.chat.image_token else 1)]
    ids = torch.tensor([*asked, *reply.ids.tolist()])[None]
    with torch.no_grad():
        logits = policy.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=(ids == policy.chat.image_token).int(), **seen
        ).logits[0, len(asked) - 1 : -1]
        allowed = torch.stack([_bits(row, logits.shape[-1]) for row in reply.masks])
        own = logits.masked_fill(~allowed, -torch.inf).log_softmax(-1).gather(-1, reply.ids[:, None])[:, 0]
        assert torch.allclose(policy.logprobs(prompt, [reply])[0], own, atol=1e-4)


def test_replies_of_a_group_do_not_disturb_each_other(folder: Path) -> None:
    policy = load_tiny(folder)
    prompt = ask(policy)
    replies = policy.sample(prompt, 3, torch.Generator().manual_seed(4))
    together = policy.logprobs(prompt, replies)
    for row, reply in zip(together, replies, strict=True):
        alone = policy.logprobs(prompt, [reply])[0]
        assert torch.allclose(row[: len(alone)], alone, atol=1e-5)
        assert not row[len(alone) :].any()


def test_the_picture_matters_to_what_is_said(folder: Path) -> None:
    policy = load_tiny(folder)
    (reply,) = policy.sample(ask(policy), 1, torch.Generator().manual_seed(5))
    assert not torch.allclose(policy.logprobs(ask(policy, "navy"), [reply]), policy.logprobs(ask(policy, "olive"), [reply]), atol=1e-3)


@pytest.mark.parametrize("adapters", [None, Adapters(rank=4, alpha=8)], ids=["whole", "lora"])
def test_only_what_learns_changes_and_how_it_was_is_remembered(folder: Path, adapters: Adapters | None) -> None:
    policy = load_tiny(folder, adapters)
    before = {name: parameter.clone() for name, parameter in policy.model.named_parameters()}
    prompt = ask(policy)
    replies = policy.sample(prompt, 2, torch.Generator().manual_seed(6))
    was = policy.logprobs(prompt, replies).detach()
    optimizer = torch.optim.AdamW(policy.trained.values(), lr=1e-2)
    for _ in range(2):  # adapters begin at zero on one side: the other moves from the second step on
        optimizer.zero_grad()
        with policy.learning():
            policy.logprobs(prompt, replies).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    changed = {name for name, parameter in policy.model.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed == set(policy.trained)
    assert all("language_model.layers" in name for name in changed)
    assert all(("lora" in name) == (adapters is not None) for name in changed)
    assert not torch.allclose(policy.logprobs(prompt, replies), was, atol=1e-2)
    assert torch.allclose(policy.logprobs_before(prompt, replies), was, atol=1e-6)


def test_merging_keeps_what_the_adapters_say(folder: Path) -> None:
    policy = load_tiny(folder, Adapters(rank=4, alpha=8))
    prompt = ask(policy)
    replies = policy.sample(prompt, 2, torch.Generator().manual_seed(6))
    with torch.no_grad():
        for parameter in policy.trained.values():
            parameter.add_(0.05)
        adapted = policy.logprobs(prompt, replies)
        assert not torch.allclose(adapted, policy.logprobs_before(prompt, replies), atol=1e-2)
        policy.model = policy.merged()
        assert torch.allclose(policy.logprobs(prompt, replies), adapted, atol=1e-3)


def _bits(words: torch.Tensor, vocabulary: int) -> torch.Tensor:
    return torch.tensor([bool(int(words[token // 32]) >> token % 32 & 1) for token in range(vocabulary)])

"""A policy small enough to train within a test: nano with two layers a part, and four pictures it is taught to guess about."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from transformers import AutoConfig, Qwen2_5_VLForConditionalGeneration

from worker.lab.labels import Label, write_labels
from worker.lab.training.policy import Adapters, Policy, Prompt, Reply
from worker.moderation.boxes import Box
from worker.moderation.outcomes import Verdict
from worker.vision.checkpoint import read_checkpoint
from worker.vision.model import ImagePart
from worker.vision.nano import CHECKPOINT
from worker.vision.nano.wording import Grade, scan_reply, zoom_reply
from worker.zoomin.prompts import load_prompts
from worker.zoomin.replies import without_verdict
from worker.zoomin.scan import scan_turns
from worker.zoomin.zoom import zoom_turns

SIDE = 112
GUESSES = 4  # replies to each question, in each step of teaching
TYPICAL_TOKENS = 50  # of a reply
CORNER = 56  # px, half a side: a picture's region is one of its quarters
LIMITS = {
    "scan_min_pixels": 3136,
    "scan_max_pixels": SIDE**2,
    "crop_min_pixels": 3136,
    "crop_max_pixels": SIDE**2,
    "scan_max_tokens": 64,
    "zoom_max_tokens": 64,
}
REPLIES = {"proposed_regions": 2, "zoomed_regions": 2, "reason_chars": 20, "finding_chars": 40, "explanation_chars": 60}


def write_tiny_checkpoint(folder: Path) -> Path:
    """A checkpoint of nano's shape with two layers a part, untrained."""
    shutil.copytree(CHECKPOINT, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] |= {
        "num_hidden_layers": 2,
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    config["vision_config"] |= {
        "depth": 2,
        "fullatt_block_indexes": [1],
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 1,
        "out_hidden_size": 128,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "zoomin.json").write_text(json.dumps({"name": "tiny", "training": "trained", "limits": LIMITS, "reply_limits": REPLIES}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(327)
        model = Qwen2_5_VLForConditionalGeneration(AutoConfig.from_pretrained(folder))  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as saved:  # saving rewrites the config too; the weights alone are wanted
        model.save_pretrained(saved)
        shutil.move(Path(saved, "model.safetensors"), folder)
    return folder


def load_tiny(folder: Path, adapters: Adapters | None = None) -> Policy:
    """The policy of a checkpoint folder, on the CPU; adapters begin alike in every call."""
    torch.manual_seed(0)
    return Policy(read_checkpoint(folder), adapters, torch.device("cpu"))


def write_pictures(folder: Path) -> list[Label]:
    """Four pictures of one colour each with a quarter of another: two generated, two controls."""
    (folder / "images").mkdir(parents=True)
    labels = []
    for number, ground in enumerate(("navy", "darkred", "olive", "teal")):
        x, y = (number % 2) * CORNER, (number // 2) * CORNER
        image = Image.new("RGB", (SIDE, SIDE), ground)
        ImageDraw.Draw(image).rectangle((x, y, x + CORNER - 1, y + CORNER - 1), fill="white")
        image.save(folder / f"images/{number}.png")
        drawn = number in {0, 3}
        labels.append(
            Label(
                file=f"images/{number}.png",
                label=Verdict.GENERATED if drawn else Verdict.REAL,
                regions=(Box(x, y, x + CORNER, y + CORNER),),
                source=str(number),
                generator="x4plus" if drawn else None,
                control=not drawn,
            )
        )
    write_labels(folder / "labels.jsonl", labels)
    return labels


def teach_to_guess(policy: Policy, folder: Path, steps: int, learning_rate: float = 3e-3) -> None:
    """Teaches the form of replies about the pictures, filled in at random: a quarter, a grade, a verdict.

    Embeddings learn too, as in supervised training: load the result anew, so that the policy learns what a policy does.
    """
    policy.model.model.language_model.requires_grad_(requires_grad=True)
    chance = np.random.default_rng(0)
    optimizer = torch.optim.AdamW(policy.trained.values(), lr=learning_rate)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * (1 - step / steps)
        optimizer.zero_grad()
        for prompt, texts in _guesses(policy, folder / f"images/{step % 4}.png", chance):
            replies = [written(policy, prompt, text) for text in texts]
            (-policy.logprobs(prompt, replies).sum(1).mean() / TYPICAL_TOKENS).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(policy.trained.values(), 1.0)
        optimizer.step()


def written(policy: Policy, prompt: Prompt, text: str) -> Reply:
    """`text` as if the policy had said it, and ended its turn."""
    ids = [*policy.chat.encode_text(text), policy.chat.end_of_turn]
    matchers = prompt.guide.matchers(1)
    masks = []
    for token in ids:
        masks.append(matchers.masks()[0])
        matchers.accept([token])
    return Reply(ids=torch.tensor(ids), masks=torch.stack(masks), text=text)


def _guesses(policy: Policy, picture: Path, chance: np.random.Generator) -> Sequence[tuple[Prompt, list[str]]]:
    """Both questions about a picture, and some replies to each. The zoom is about the first scan's box."""
    with Image.open(picture) as image:
        pixels = image.convert("RGB")
    boxes = [Box(x, y, x + CORNER, y + CORNER) for x, y in (chance.integers(0, 2, (GUESSES, 2)) * CORNER).tolist()]
    grades = [Grade(number) for number in chance.integers(len(Grade), size=GUESSES).tolist()]
    verdicts = [list(Verdict)[number] for number in chance.integers(2, size=GUESSES).tolist()]
    scans = [scan_reply([(box, grade)], verdict) for box, grade, verdict in zip(boxes, grades, verdicts, strict=True)]
    zooms = [zoom_reply([grade], verdict) for grade, verdict in zip(grades, reversed(verdicts), strict=True)]
    whole, prompts = ImagePart(uuid="", pixels=pixels), load_prompts()
    turns = scan_turns(whole, prompts, REPLIES["proposed_regions"], policy.checkpoint.convention.coordinates)
    told = ImagePart(uuid="", pixels=pixels.crop(boxes[0].corners()))
    asked = zoom_turns(turns, without_verdict(scans[0]), [(boxes[0], told)], prompts)
    return ((policy.prompt(turns, policy.scan_guide, 64), scans), (policy.prompt(asked, policy.zoom_guide, 64), zooms))

"""Trains nano's tokenizer, deterministically: `python -m worker.vision.nano.train_tokenizer`.

A byte-level BPE of 1,024 tokens over the text that nano reads and writes: the prompts, and replies of their shape. Any other text still
encodes, byte by byte. Digits are single tokens, so that a coordinate costs its digits; letters never share a token with punctuation, so
that `real` and `generated` begin a token of their own behind any quote. Weights are tied to token ids: after training weights, retrain
the weights too.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from worker.moderation.outcomes import Verdict

CHECKPOINT = Path(__file__).parent / "checkpoint"
CORPUS = Path(__file__).parent / "corpus.txt"
PROMPTS = Path(__file__).parents[2] / "zoomin" / "prompts"
SPECIAL_TOKENS = (  # Qwen2.5-VL's, in its order; they follow the trained vocabulary
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
VOCABULARY = 1024
PIECES = Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
REPLIES = 4000
PROMPT_WEIGHT = 200  # prompts are few and always the same: their words earn tokens of their own
SEED = 2510_04225
TARGETS = ("face", "hand", "text", "logo", "limb", "edge", "texture", "hair", "eye", "sign", "window", "water", "sky", "fabric", "paw")
TRAITS = (
    "smooth texture",
    "fine grain is missing",
    "sharp outlines",
    "natural noise",
    "blurred detail",
    "regenerated surface",
    "repeated pattern",
    "consistent lighting",
)
CERTAINTY = ("clearly", "probably", "possibly", "no sign of")


def sample_reply(chance: random.Random) -> str:
    """One reply of either stage, as guided decoding writes JSON."""
    regions = [
        {
            "bbox_2d": [chance.randrange(449) for _ in range(4)],
            "reason": f"{chance.choice(TARGETS)}: {chance.choice(TRAITS)}",
        }
        for _ in range(chance.randrange(5))
    ]
    findings = [
        {"region": number, "finding": f"{chance.choice(CERTAINTY)} {chance.choice(TRAITS)} in the {chance.choice(TARGETS)}"}
        for number in range(1, len(regions) + 1)
    ]
    verdict = chance.choice(list(Verdict)).value
    explanation = f"The {chance.choice(TARGETS)} shows {chance.choice(TRAITS)}; the image is {chance.choice(CERTAINTY)} {verdict}."
    scan = {"explanation": explanation, "regions": regions, "verdict": verdict}
    zoom = {"findings": findings, "explanation": explanation, "verdict": verdict}
    return json.dumps(chance.choice((scan, zoom)), separators=(",", ":"))  # as the guide spaces it


def corpus(prompts: Path) -> Iterator[str]:
    """The prompts' texts, many times, sampled replies, and sentences of the trade. Deterministic."""
    for path in sorted(path for path in prompts.rglob("*") if path.suffix in {".txt", ".md", ".json", ".toml", ".jinja"}):
        yield from [path.read_text(encoding="utf-8")] * PROMPT_WEIGHT
    chance = random.Random(SEED)  # noqa: S311  sampling text, no secret
    for _ in range(REPLIES):
        yield sample_reply(chance)
    yield from CORPUS.read_text(encoding="utf-8").splitlines()


def train(texts: Iterator[str]) -> Tokenizer:
    """A tokenizer of VOCABULARY tokens, specials last. Raises ValueError when a verdict is not one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(PIECES, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    for verdict in Verdict:
        if len(tokenizer.encode(f'"{verdict.value}"').ids) != 3:  # quote, word, quote
            raise ValueError(f"{verdict.value!r} is not a single token: the corpus lacks it")
    if tokenizer.get_vocab_size() != VOCABULARY:
        raise ValueError(f"the corpus gave {tokenizer.get_vocab_size()} tokens instead of {VOCABULARY}: it is too small")
    return tokenizer


if __name__ == "__main__":
    trained = train(corpus(PROMPTS))
    trained.save(str(CHECKPOINT / "tokenizer.json"))
    sys.stdout.write(f"{trained.get_vocab_size()} tokens written to {CHECKPOINT / 'tokenizer.json'}\n")

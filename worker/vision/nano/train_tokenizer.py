"""Trains nano's tokenizer, deterministically: `python -m worker.vision.nano.train_tokenizer`.

A byte-level BPE of 1,024 tokens over the text that nano reads and writes: the prompts, and replies of their shape. Any other text still
encodes, byte by byte. Coordinates are multiples of 28, each a token of its own: a small model picks a place, it need not spell it. Letters
never share a token with punctuation, so that `real` and `generated` begin a token of their own behind any quote. Weights are tied to
token ids: whoever trains the tokenizer anew trains the weights anew.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from worker.moderation.boxes import Box
from worker.moderation.outcomes import Verdict
from worker.vision.nano.wording import LARGEST_MULTIPLE, Grade, scan_reply, zoom_reply

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
PIECES = Regex(r" ?\p{L}+|\p{N}{1,4}|[^\s\p{L}\p{N}]+ ?|\s+(?!\S)|\s+")
REPLIES = 4000
PROMPT_WEIGHT = 200  # prompts are few and always the same: their words earn tokens of their own
SEED = 2510_04225
FACTOR = 28  # px: boxes and sizes are multiples of it


def sample_reply(chance: random.Random) -> str:
    """One reply of either stage, as guided decoding writes it."""
    grades = [chance.choice(list(Grade)) for _ in range(chance.randrange(5))]
    verdict = chance.choice(list(Verdict))
    if chance.random() < 0.5:
        return zoom_reply(grades, verdict)
    boxes = [Box(*(FACTOR * chance.randrange(LARGEST_MULTIPLE + 1) for _ in range(4))) for _ in grades]
    return scan_reply(list(zip(boxes, grades, strict=True)), verdict)


def corpus(prompts: Path) -> Iterator[str]:
    """The prompts' texts, many times, sampled replies, and sentences of the trade. Deterministic."""
    for path in sorted(path for path in prompts.rglob("*") if path.suffix in {".txt", ".md", ".json", ".toml", ".jinja"}):
        yield from [path.read_text(encoding="utf-8")] * PROMPT_WEIGHT
    chance = random.Random(SEED)  # noqa: S311  sampling text, no secret
    for _ in range(REPLIES):
        yield sample_reply(chance)
    yield from [" ".join(str(FACTOR * multiple) for multiple in range(LARGEST_MULTIPLE + 1))] * PROMPT_WEIGHT
    yield from CORPUS.read_text(encoding="utf-8").splitlines()


def train(texts: Iterator[str]) -> Tokenizer:
    """A tokenizer of VOCABULARY tokens, specials last. Raises ValueError when a verdict or a coordinate is not one token."""
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
    spelt = [FACTOR * n for n in range(LARGEST_MULTIPLE + 1) if len(tokenizer.encode(str(FACTOR * n)).ids) != 1]
    if spelt:
        raise ValueError(f"coordinates {spelt} are not single tokens: raise PROMPT_WEIGHT")
    if tokenizer.get_vocab_size() != VOCABULARY:
        raise ValueError(f"the corpus gave {tokenizer.get_vocab_size()} tokens instead of {VOCABULARY}: it is too small")
    return tokenizer


if __name__ == "__main__":
    trained = train(corpus(PROMPTS))
    trained.save(str(CHECKPOINT / "tokenizer.json"))
    sys.stdout.write(f"{trained.get_vocab_size()} tokens written to {CHECKPOINT / 'tokenizer.json'}\n")

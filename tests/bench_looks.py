"""`python -m tests.bench_looks --labels labels.jsonl`: what looks of a checkpoint are worth, measured on labelled pictures of the lab.

Each generated picture with a known region is scanned, then looked at twice: at a known region, and at a box of the same sides elsewhere.
Reported: how well the looks' raw score parts the two (AUC; the paired difference with its interval), how long a look takes, and how much
of its prompt came from the prefix cache. `--questions` words looks for a model that answers questions, whatever its card says.
"""

import argparse
import asyncio
import hashlib
import json
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from worker.images.fetch import Fetched
from worker.images.mask import Mask
from worker.images.prepare import Crop, Evidence, ScanImage, cut_crops, prepare_scan, shrink
from worker.images.resize import PixelLimits
from worker.lab.labels import Label, read_labels
from worker.moderation.boxes import Box, Size, intersection_over_union
from worker.moderation.looks import LookAnswer
from worker.moderation.outcomes import ItemReference, SourceFacts, Verdict
from worker.moderation.settings import Settings
from worker.vision.load import load_vision_model
from worker.vision.model import Answer, ModelCard, Question, VisionModel
from worker.zoomin import pipeline
from worker.zoomin.case import Case
from worker.zoomin.look import AskedLook, RecordedScan, look
from worker.zoomin.prompts import load_prompts
from worker.zoomin.prompts.looks import load_look_prompts
from worker.zoomin.regions import scan_boxes
from worker.zoomin.scan import scan
from worker.zoomin.tools import Tools

SEED = 6
RESAMPLES = 2_000
TRIES = 200  # for a box elsewhere


class Asked:
    """A model whose card says that it answers questions."""

    def __init__(self, model: VisionModel) -> None:
        self._model = model

    @property
    def card(self) -> ModelCard:
        """The model's, but for that."""
        return replace(self._model.card, answers_questions=True)

    async def answer(self, question: Question) -> Answer:
        """The model's."""
        return await self._model.answer(question)

    async def close(self) -> None:
        """Closes the model."""
        await self._model.close()


class InThisProcess:
    """The pictures are the lab's own: they need no child."""

    async def prepare_scan(self, body: bytes, limits: PixelLimits) -> ScanImage:
        """See DecodePool."""
        return prepare_scan(body, limits)

    async def shrink(self, body: bytes, limits: PixelLimits, mask: Mask | None = None) -> ScanImage:
        """See DecodePool."""
        return shrink(body, limits, mask)

    async def cut_crops(self, body: bytes, boxes: Sequence[Box], limits: PixelLimits, mask: Mask | None = None) -> Sequence[Crop]:
        """See DecodePool."""
        return cut_crops(body, boxes, limits, mask)


async def measure(labels: Path, pictures: int, *, questions: bool) -> dict[str, object]:
    """The figures."""
    model = await load_vision_model(Settings(model="nano", home=labels.parent))
    vision: VisionModel = Asked(model) if questions else model
    chosen = [label for label in read_labels(labels) if label.regions and label.label is Verdict.GENERATED][:pictures]
    chance = random.Random(SEED)  # noqa: S311  a measurement that can be repeated
    pairs, answers = [], []
    try:
        for label in chosen:
            there, elsewhere = await both(labels.parent, label, vision, chance)
            if there is None or elsewhere is None:
                continue
            answers += [there, elsewhere]
            if there.p_generated is not None and elsewhere.p_generated is not None:
                pairs.append((there.p_generated, elsewhere.p_generated))
    finally:
        await model.close()
    return figures(pairs, answers)


async def both(folder: Path, label: Label, vision: VisionModel, chance: random.Random) -> tuple[LookAnswer | None, LookAnswer | None]:
    """A look at a known region, and one elsewhere; nothing where there is no room for one."""
    body = (folder / label.file).read_bytes()
    item = ItemReference(UUID(int=0), 0, "", "", label.file)

    async def fetch(_: ItemReference) -> Fetched:
        return Fetched(body, SourceFacts(sha256=hashlib.sha256(body).hexdigest(), byte_count=len(body)))

    async def keep(_: Sequence[Evidence]) -> None:
        pass

    tools = Tools(
        fetch=fetch, decoder=InThisProcess(), keep=keep, vision=vision, prompts=load_prompts(), choose=scan_boxes, release_id="bench"
    )
    case = Case(item, tools.release_id)
    image = await pipeline.decode(await pipeline.fetch(case, tools), case, tools)
    await scan(image, case, tools)
    recorded = RecordedScan(
        turns=case.traces[-1].request["turns"],
        reply=case.traces[-1].reply,
        image_sha256=hashlib.sha256(body).hexdigest(),
        sent_sha256=image.evidence.facts.sha256,
    )
    known = Box(*label.regions[0].outward().clamped(image.original).corners())
    other = place_elsewhere(known, label.regions, image.original, chance)
    if other is None:
        return None, None
    asked = [look(item, AskedLook(scan=recorded, box=box), tools, load_look_prompts()) for box in (known, other)]
    first, second = await asyncio.gather(*asked)
    return first, second


def place_elsewhere(box: Box, known: Sequence[Box], size: Size, chance: random.Random) -> Box | None:
    """A box of the same sides that touches no known one."""
    x0, y0, x1, y1 = box.corners()
    for _ in range(TRIES):
        x, y = chance.randint(0, size.width - (x1 - x0)), chance.randint(0, size.height - (y1 - y0))
        placed = Box(x, y, x + x1 - x0, y + y1 - y0)
        if all(intersection_over_union(placed, other) == 0 for other in known):
            return placed
    return None


def figures(pairs: Sequence[tuple[float, float]], answers: Sequence[LookAnswer]) -> dict[str, object]:
    """What is reported."""
    traces = [answer.traces[-1] for answer in answers]
    differences = [there - elsewhere for there, elsewhere in pairs]
    chance = random.Random(SEED)  # noqa: S311
    means = sorted(statistics.fmean(chance.choices(differences, k=len(differences))) for _ in range(RESAMPLES))
    above = [(a > b) + (a == b) / 2 for a, _ in pairs for _, b in pairs]
    return {
        "looks": len(answers),
        "pairs": len(pairs),
        "unreadable": sum(answer.verdict is None for answer in answers),
        "auc_known_region_over_elsewhere": round(statistics.fmean(above), 3),
        "paired_difference": round(statistics.fmean(differences), 3),
        "paired_interval_95": [round(means[int(RESAMPLES * part)], 3) for part in (0.025, 0.975)],
        "seconds_median": round(statistics.median(trace.seconds for trace in traces), 2),
        "seconds_largest": round(max(trace.seconds for trace in traces), 2),
        "prompt_from_cache": round(sum(trace.cached_tokens or 0 for trace in traces) / sum(trace.prompt_tokens for trace in traces), 3),
        "findings": sorted({answer.finding for answer in answers}),
    }


def main() -> int:
    """The whole run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--questions", action="store_true")
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.labels, arguments.pictures, questions=arguments.questions))
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

import json
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from jsonschema import validate  # type: ignore[import-untyped]
from PIL import Image

from worker.lab.training.conversations import widen
from worker.lab.training.student import Student
from worker.moderation.boxes import Box
from worker.moderation.outcomes import Verdict
from worker.vision.model import ImagePart
from worker.vision.nano.wording import LARGEST_MULTIPLE, Grade, scan_reply, zoom_reply
from worker.zoomin.replies import scan_schema, without_verdict, zoom_schema

LARGEST = Box(980, 980, 1120, 1120)
GRADES = list(Grade)


def blank(columns: int, rows: int) -> ImagePart:
    return ImagePart(uuid="", pixels=Image.new("L", (28 * columns, 28 * rows)))


def test_positions_are_those_that_the_model_computes(student: Student) -> None:
    said = scan_reply([(Box(28, 56, 140, 196), Grade.CLEAR)], Verdict.REAL)
    conversation = student.speaker.zoom(blank(13, 9), said, [(Box(28, 56, 140, 196), blank(4, 5))], zoom_reply([Grade.NO], Verdict.REAL))
    ids = torch.from_numpy(conversation.ids)[None]
    grids = torch.tensor([[1, 18, 26], [1, 10, 8]])
    seen = (ids == student.speaker.chat.image_token).int()
    expected, _ = student.model.model.get_rope_index(ids, image_grid_thw=grids, attention_mask=torch.ones_like(ids), mm_token_type_ids=seen)
    assert conversation.grids == ((9, 13), (5, 4))
    np.testing.assert_array_equal(conversation.positions, expected[:, 0].numpy())


def test_only_the_reply_and_its_end_are_learnt(student: Student) -> None:
    reply = scan_reply([(Box(0, 0, 28, 28), Grade.NO)], Verdict.GENERATED)
    conversation = student.speaker.scan(blank(3, 3), reply)
    learnt = conversation.ids[conversation.learnt]
    assert learnt[-1] == student.speaker.chat.end_of_turn
    assert student.speaker.chat.decode(learnt.tolist()) == reply


def test_a_scan_lesson_names_no_verdict_to_the_zoom(student: Student) -> None:
    said = scan_reply([(Box(0, 0, 28, 28), Grade.NO)], Verdict.GENERATED)
    conversation = student.speaker.zoom(blank(3, 3), said, [(Box(0, 0, 28, 28), blank(4, 4))], zoom_reply([Grade.NO], Verdict.REAL))
    asked = student.speaker.chat.decode(conversation.ids[~conversation.learnt].tolist())
    assert '"reason":"no traces"' in asked
    assert '"generated"' not in asked.split("assistant")[-2]


def test_a_zoom_teaches_the_scan_it_quotes_on_demand_and_never_where_that_ends(student: Student) -> None:
    said = scan_reply([(Box(0, 0, 28, 28), Grade.NO)], Verdict.GENERATED)
    reply = zoom_reply([Grade.NO], Verdict.REAL)
    conversation = student.speaker.zoom(blank(3, 3), said, [(Box(0, 0, 28, 28), blank(4, 4))], reply, learn_scan=True)
    learnt = conversation.ids[conversation.learnt].tolist()
    assert student.speaker.chat.decode(learnt) == without_verdict(said) + reply
    assert learnt.count(student.speaker.chat.end_of_turn) == 1


def test_images_without_a_placeholder_are_refused() -> None:
    with pytest.raises(ValueError, match="1 placeholders for 2 images"):
        widen([1, 9, 2], [3], [(2, 2), (2, 2)], 9)


def test_every_coordinate_is_one_token(student: Student) -> None:
    tokens = [student.speaker.chat.encode_text(str(28 * multiple)) for multiple in range(LARGEST_MULTIPLE + 1)]
    assert {len(ids) for ids in tokens} == {1}
    assert len({ids[0] for ids in tokens}) == LARGEST_MULTIPLE + 1


@pytest.mark.parametrize("verdict", Verdict)
def test_replies_keep_to_the_shipped_limits_and_are_spaced_as_the_engine_spaces_them(student: Student, verdict: Verdict) -> None:
    limits = student.checkpoint.reply_limits
    count = limits.proposed_regions
    scan = scan_reply([(LARGEST, GRADES[-1 - number]) for number in range(count)], verdict)
    zoom = zoom_reply([GRADES[-1 - number] for number in range(limits.zoomed_regions)], verdict)
    for reply, schema in ((scan, scan_schema(limits)), (zoom, zoom_schema(limits))):
        validate(json.loads(reply), schema)
        assert accepted(student, schema, reply)
        assert not accepted(student, schema, reply.replace(":", ": "))


def accepted(student: Student, schema: object, reply: str) -> bool:
    """Whether vLLM's own guide, with `disable_any_whitespace` as our engine sets it, lets a reply through to its end."""
    chat, options = student.speaker.chat, SimpleNamespace(disable_any_whitespace=True)
    config: Any = SimpleNamespace(structured_outputs_config=options, model_config=None, speculative_config=None)
    tokenizer = chat.processor.tokenizer
    with warnings.catch_warnings(action="ignore"):  # vLLM uses what torch and xgrammar have deprecated
        from vllm.v1.structured_output.backend_types import StructuredOutputOptions  # noqa: PLC0415
        from vllm.v1.structured_output.backend_xgrammar import XgrammarBackend  # noqa: PLC0415

        guide = XgrammarBackend(vllm_config=config, tokenizer=tokenizer, vocab_size=len(tokenizer))
        grammar: Any = guide.compile_grammar(StructuredOutputOptions.JSON, json.dumps(schema))
    return bool(grammar.matcher.accept_string(reply) and grammar.matcher.accept_token(chat.end_of_turn))

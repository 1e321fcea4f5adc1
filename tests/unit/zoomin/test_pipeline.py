import hashlib
import io
import math
from dataclasses import replace

import pytest
from PIL import Image, ImageOps

from tests.unit.zoomin.world import ITEM, SCAN, ZOOM, World, picture, said
from worker.moderation.boxes import Box
from worker.moderation.calibration import BandCalibration, Calibration
from worker.moderation.degradation import Border, DegradationBand
from worker.moderation.errors import EngineDiedError, RejectedError, TransientError
from worker.moderation.outcomes import OutcomeKind, Stage, Verdict, ZoomPath
from worker.vision.model import ImagePart
from worker.zoomin.pipeline import moderate
from worker.zoomin.regions import no_regions


async def test_an_image_is_scanned_zoomed_and_judged() -> None:
    real = {Verdict.REAL: -0.2876820724517809, Verdict.GENERATED: -1.3862943611198906}
    world = World([replace(said(SCAN), verdict_logprobs=real), said(ZOOM)])
    outcome = await moderate(ITEM, world.tools)
    assert outcome.kind is OutcomeKind.VERDICT
    assert (outcome.verdict, outcome.scan_verdict) == (Verdict.GENERATED, Verdict.REAL)
    assert outcome.p_generated == outcome.p_generated_raw == pytest.approx(0.75)
    assert outcome.explanation == "Melted letters."
    assert outcome.path is ZoomPath.ZOOMED
    assert [region.finding for region in outcome.regions] == ["clean", "melted letters"]
    assert [(trace.stage, trace.attempt) for trace in outcome.traces] == [(Stage.SCAN, 1), (Stage.ZOOM, 1)]
    assert outcome.release_id == "scripted-0"
    assert None not in (outcome.seconds.fetch, outcome.seconds.decode, outcome.seconds.scan, outcome.seconds.zoom)


async def test_the_verdict_follows_the_calibrated_score_and_the_scans_stays_raw() -> None:
    outcome = await moderate(ITEM, World([said(SCAN), said(ZOOM)], calibration=Calibration(scale=1, offset=-math.log(9))).tools)
    assert outcome.p_generated_raw == pytest.approx(0.75)
    assert outcome.p_generated == pytest.approx(0.25)
    assert outcome.verdict is Verdict.REAL
    assert outcome.scan_p_generated == pytest.approx(0.75)
    assert outcome.scan_verdict is Verdict.GENERATED


async def test_the_score_is_calibrated_for_what_the_image_went_through() -> None:
    fitted = BandCalibration(Calibration(scale=1, offset=-math.log(9)), None)
    framed = io.BytesIO()
    ImageOps.expand(Image.effect_noise((896, 448), 64).convert("RGB"), 40, "black").save(framed, "JPEG", quality=40)
    for band, p in ((DegradationBand.COMPRESSED, 0.25), (DegradationBand.FRAMED, 0.75)):
        outcome = await moderate(ITEM, World([said(SCAN), said(ZOOM)], body=framed.getvalue(), bands={band: fitted}).tools)
        assert outcome.degradation is not None
        assert outcome.degradation.border == Border(40, 40, 40, 40)
        assert outcome.degradation_band is DegradationBand.COMPRESSED
        assert outcome.p_generated == pytest.approx(p)


async def test_without_a_score_there_is_nothing_to_calibrate() -> None:
    silent = replace(said(ZOOM), verdict_logprobs=None)
    outcome = await moderate(ITEM, World([said(SCAN), silent], calibration=Calibration(2, 1)).tools)
    assert (outcome.p_generated, outcome.p_generated_raw, outcome.verdict) == (None, None, Verdict.GENERATED)


async def test_crops_within_the_limits_are_sent_pixel_for_pixel() -> None:
    world = World([said(SCAN), said(ZOOM)], body=picture(1792, 896))
    outcome = await moderate(ITEM, world.tools)
    zoomed = [part for part in world.vision.questions[1].turns[-1].parts if isinstance(part, ImagePart)]
    with Image.open(io.BytesIO(picture(1792, 896))) as original:
        for region, part in zip(outcome.regions, zoomed, strict=True):
            assert region.crop_box is not None
            assert region.scale == 1.0
            assert part.pixels.tobytes() == original.crop(region.crop_box.corners()).tobytes()


async def test_the_control_without_regions_is_a_second_look() -> None:
    outcome = await moderate(ITEM, World([said(SCAN), said(ZOOM)], choose=no_regions).tools)
    assert (outcome.path, outcome.regions) == (ZoomPath.SECOND_LOOK, ())


async def test_boxes_come_back_in_original_pixels_of_a_shrunken_image() -> None:
    outcome = await moderate(ITEM, World([said(SCAN), said(ZOOM)], body=picture(1792, 896)).tools)  # sent at 616×308 or so
    sent_width = outcome.traces[0].request["turns"][1]["parts"][0]["size"][0]
    assert sent_width < 1792
    assert outcome.regions[0].box.corners() == tuple(round(value * 1792 / sent_width) for value in (28, 28, 140, 140))


async def test_what_the_model_was_sent_is_kept_under_its_hash() -> None:
    world = World([said(SCAN), said(ZOOM)])
    outcome = await moderate(ITEM, world.tools)
    assert outcome.perceptual_hash is not None
    named = {outcome.sent_sha256, *(region.crop_sha256 for region in outcome.regions)}
    assert named == set(world.evidence) == {facts.sha256 for facts in outcome.evidence}
    assert all(hashlib.sha256(body).hexdigest() == digest for digest, body in world.evidence.items())
    zoomed = [part for part in world.vision.questions[1].turns[-1].parts if isinstance(part, ImagePart)]
    for part in zoomed:
        with Image.open(io.BytesIO(world.evidence[part.uuid])) as kept:
            assert kept.convert("RGB").tobytes() == part.pixels.tobytes()


async def test_the_zoom_continues_the_scan_without_its_verdict() -> None:
    world = World([said(SCAN), said(ZOOM)])
    await moderate(ITEM, world.tools)
    first, second = world.vision.questions
    assert second.turns[: len(first.turns)] == first.turns  # the prefix the cache can reuse, image first
    assert isinstance(first.turns[1].parts[0], ImagePart)
    assert SCAN.startswith(str(second.turns[2].parts[0]))
    assert "verdict" not in str(second.turns[2].parts[0])
    assert second.urgent
    assert not first.urgent


async def test_no_name_or_key_of_the_item_reaches_the_model() -> None:
    world = World([said(SCAN), said(ZOOM)])
    await moderate(ITEM, world.tools)
    texts = " ".join(part for question in world.vision.questions for turn in question.turns for part in turn.parts if isinstance(part, str))
    assert not [secret for secret in (ITEM.custom_id, ITEM.key, ITEM.bucket) if secret in texts]


async def test_without_usable_regions_the_whole_image_gets_a_second_look() -> None:
    world = World([said('{"explanation":"Sky.","regions":[],"verdict":"real"}'), said(ZOOM)])
    outcome = await moderate(ITEM, world.tools)
    assert outcome.path is ZoomPath.SECOND_LOOK
    assert outcome.regions == ()
    assert outcome.verdict is Verdict.GENERATED
    assert not any(isinstance(part, ImagePart) for part in world.vision.questions[1].turns[-1].parts)


async def test_an_unreadable_reply_is_asked_for_once_more_less_greedily() -> None:
    world = World([said("mumble"), said(SCAN), said(ZOOM)])
    outcome = await moderate(ITEM, world.tools)
    assert outcome.kind is OutcomeKind.VERDICT
    assert [(trace.stage, trace.attempt, trace.reply) for trace in outcome.traces[:2]] == [(Stage.SCAN, 1, "mumble"), (Stage.SCAN, 2, SCAN)]
    assert [question.temperature > 0 for question in world.vision.questions] == [False, True, False]


@pytest.mark.parametrize("script", [[said("mumble"), said("mumble")], [said(SCAN), said(ZOOM[:40]), said("")]])
async def test_two_unreadable_replies_are_an_outcome_of_their_own(script: list[object]) -> None:
    world = World(script)  # type: ignore[arg-type]
    outcome = await moderate(ITEM, world.tools)
    assert outcome.kind is OutcomeKind.UNREADABLE
    assert outcome.verdict is None
    assert outcome.p_generated is None
    assert outcome.error_code == "reply_unreadable"
    assert len(outcome.traces) == len(script)
    assert outcome.sent_sha256 in world.evidence  # the pixels it could not judge are there to look at


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not an image", "image_unrecognised"),
        (picture()[:200], "image_corrupt"),
        (RejectedError("object_missing", "x"), "object_missing"),
    ],
)
async def test_a_bad_image_is_a_failed_outcome_with_a_code(body: bytes | Exception, code: str) -> None:
    outcome = await moderate(ITEM, World([], body=body).tools)
    assert (outcome.kind, outcome.error_code, outcome.verdict) == (OutcomeKind.FAILED, code, None)
    assert outcome.error_message


@pytest.mark.parametrize("error", [TransientError("busy", "x"), EngineDiedError("dead", "x")])
async def test_what_may_work_later_is_no_outcome(error: Exception) -> None:
    with pytest.raises(type(error)):
        await moderate(ITEM, World([said(SCAN), error]).tools)


async def test_the_choice_of_regions_is_injected() -> None:
    def whole_left(proposed, size, limit):  # type: ignore[no-untyped-def]
        return tuple(type(region)(Box(0, 0, 64, size.height), "left") for region in proposed[:1])

    outcome = await moderate(ITEM, World([said(SCAN), said(ZOOM)], choose=whole_left).tools)
    assert [region.box.corners() for region in outcome.regions] == [(0, 0, 64, 448)]


async def test_a_failed_put_does_not_hide_a_dead_engine() -> None:
    async def broken(_: object) -> None:
        raise TransientError("object_store_unavailable", "x")

    tools = replace(World([EngineDiedError("engine_died", "x")]).tools, keep=broken)
    with pytest.raises(EngineDiedError):
        await moderate(ITEM, tools)

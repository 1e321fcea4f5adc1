"""Which reviewed pictures become data, as what, and why others are left out. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from worker.lab.dataset.making import IMAGES
from worker.lab.dataset.selection import Split, split_of
from worker.lab.labels import Label
from worker.moderation.box_agreement import AgreedBoxes, agree_on_boxes
from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import Verdict
from worker.moderation.review import DecisionBasis
from worker.store.reviewed_pictures import ReviewedPicture

UNKNOWN_GENERATOR = "unknown"  # people say that a picture was generated, not by what
ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A picture with its label. `file` of the label is relative to the folder of its split."""

    picture: ReviewedPicture
    sha256: str
    split: Split
    label: Label
    boxes: AgreedBoxes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A decision that did not become data. `code` is stable, `message` for people."""

    picture: ReviewedPicture
    code: str
    message: str


def take(pictures: Iterable[ReviewedPicture], min_reviewers: int) -> Iterator[Sample | Refused]:
    """What becomes of each. A picture that is in several items is taken once, and not at all when they were decided differently."""
    same: dict[str, list[Sample]] = {}
    for picture in pictures:
        try:
            sample = _sample(picture, min_reviewers)
        except RejectedError as error:
            yield Refused(picture=picture, code=error.code, message=error.message)
        else:
            same.setdefault(sample.sha256, []).append(sample)
    for samples in same.values():
        yield from _one_of(samples)


def _one_of(samples: Sequence[Sample]) -> Iterator[Sample | Refused]:
    newest = max(samples, key=lambda sample: (sample.picture.decided_at, sample.picture.decision_id))
    if len({sample.label.label for sample in samples}) > 1:
        names = ", ".join(_name(sample.picture) for sample in samples)
        for sample in samples:
            yield Refused(picture=sample.picture, code="decisions_differ", message=f"The same picture was decided differently: {names}.")
        return
    yield newest
    for sample in samples:
        if sample is not newest:
            message = f"The same picture as {_name(newest.picture)}, which was decided on later."
            yield Refused(picture=sample.picture, code="picture_repeated", message=message)


def _sample(picture: ReviewedPicture, min_reviewers: int) -> Sample:
    """Raises RejectedError."""
    _check_usable(picture)
    _check_judged(picture, min_reviewers)
    sha256, ending = picture.image_sha256, ENDINGS.get(picture.media_type or "")
    if sha256 is None or ending is None or picture.size is None:
        raise RejectedError("picture_not_read", "The picture was never read: there are no bytes that the decision is about.")
    boxes = agree_on_boxes(picture.boxes, [review.answer.judgements for review in picture.reviews])
    if picture.verdict is Verdict.REAL and boxes.right:
        raise RejectedError("boxes_contradict", "The picture was decided to be real, and boxes in it to be right.")
    generated = picture.verdict is Verdict.GENERATED
    label = Label(
        file=f"{IMAGES}/{sha256}.{ending}",
        label=picture.verdict,
        regions=boxes.right,
        source=sha256,  # not its address: two uploads of a picture are one photograph
        generator=UNKNOWN_GENERATOR if generated else None,
        control=False,
    )
    return Sample(picture=picture, sha256=sha256, split=split_of(sha256), label=label, boxes=boxes)


def _check_usable(picture: ReviewedPicture) -> None:
    barred = {
        "item_erased": (picture.erased, "The picture was erased."),
        "item_held": (picture.held, "The picture is under a legal hold."),
        "picture_golden": (picture.golden, "The picture measures reviewers: whoever learns from it can no longer be measured by it."),
        "decision_contested": (picture.contested, "An appeal against the decision is open."),
    }
    for code, (applies, message) in barred.items():
        if applies:
            raise RejectedError(code, message)


def _check_judged(picture: ReviewedPicture, min_reviewers: int) -> None:
    if picture.basis is DecisionBasis.AUTOMATIC:
        raise RejectedError("decided_automatically", "No person looked at it: a model would learn from itself.")
    if len(picture.people) < min_reviewers:
        raise RejectedError("reviewers_too_few", f"{len(picture.people)} of {min_reviewers} people decided so.")


def _name(picture: ReviewedPicture) -> str:
    return item_id(picture.batch_id, picture.ordinal)

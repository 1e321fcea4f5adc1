"""Versions of policies as files: the very JSON that `POST /v1/policies/{policy}/versions` takes."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import UNEXPLAINED, Action, AutomaticAction, Band, Clause, Explaining, Opening, Said
from worker.moderation.review import DEFAULT_QUEUE
from worker.moderation.translation.languages import check_languages
from worker.store.policies import Draft


class BandPart(msgspec.Struct, forbid_unknown_fields=True):
    """Thresholds for one thing the model can have said."""

    verdict: Verdict
    agreed: bool = True
    pass_below: float = 0.0
    flag_from: float | None = None

    @property
    def said(self) -> Said:
        """What they are for."""
        return Said(self.verdict, self.agreed)

    @property
    def value(self) -> Band:
        """The thresholds. Raises RejectedError `band_invalid`."""
        return Band(self.pass_below, self.flag_from)


class AutomaticPart(msgspec.Struct, forbid_unknown_fields=True):
    """An opt-in."""

    action: Literal["label", "restrict", "remove"]
    opted_in_by: str
    reason: str

    @property
    def value(self) -> AutomaticAction:
        """The opt-in. Raises RejectedError `opt_in_incomplete`."""
        return AutomaticAction(Action(self.action), self.opted_in_by, self.reason)


class ClausePart(msgspec.Struct, forbid_unknown_fields=True):
    """What a decision can rest on."""

    id: str
    title: str
    reason: str = ""

    @property
    def value(self) -> Clause:
        """The clause. Raises RejectedError `clause_invalid`."""
        return Clause(self.id, self.title, self.reason)


class OpeningPart(msgspec.Struct, kw_only=True):
    """Which questions are opened beside those of the bands, and where: of a file, and of the API's answer."""

    flag_queue: str | None = None
    disagreement_queue: str | None = None
    qa_share: float = 0.0
    double_share: float = 0.0

    @property
    def opening(self) -> Opening:
        """The value. Raises RejectedError `share_invalid`."""
        return Opening(
            flag_queue=self.flag_queue,
            disagreement_queue=self.disagreement_queue,
            qa_share=self.qa_share,
            double_share=self.double_share,
        )


class ExplainingPart(OpeningPart, kw_only=True):
    """What is done to explain outcomes, and where a person decides instead: of a file, and of the API's answer."""

    faithfulness_share: float = 0.0
    least_drop: float = UNEXPLAINED.least_drop
    attention_share: float = 0.0
    languages: list[str] = []
    accuracy_floor: float | None = None

    @property
    def explaining(self) -> Explaining:
        """The value. Raises RejectedError: share_invalid, languages_invalid."""
        return Explaining(
            faithfulness_share=self.faithfulness_share,
            least_drop=self.least_drop,
            attention_share=self.attention_share,
            languages=tuple(self.languages),
        )


class VersionFile(ExplainingPart, forbid_unknown_fields=True, kw_only=True):
    """A whole file."""

    bands: list[BandPart]
    queue: str = DEFAULT_QUEUE
    automatic: AutomaticPart | None = None
    clauses: list[ClausePart] = []
    reason_required: bool = False
    four_eyes: list[Literal["label", "restrict", "remove"]] = []
    note: str = ""


def read_draft(path: Path) -> Draft:
    """The version in a file. Raises OSError; RejectedError `version_file_invalid`, and those of its values."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=VersionFile)
    except msgspec.MsgspecError as error:
        raise RejectedError(
            "version_file_invalid", f"{path}: {error}. It needs what POST /v1/policies/{{policy}}/versions takes."
        ) from None
    bands = {band.said: band.value for band in found.bands}
    if len(bands) < len(found.bands):
        raise RejectedError("band_repeated", f"{path}: there is one band for each verdict and agreement.")
    check_languages(found.languages)
    return Draft(
        bands=bands,
        queue=found.queue,
        automatic=found.automatic.value if found.automatic else None,
        clauses=tuple(clause.value for clause in found.clauses),
        reason_required=found.reason_required,
        four_eyes=frozenset(map(Action, found.four_eyes)),
        note=found.note,
        opening=found.opening,
        explaining=found.explaining,
        accuracy_floor=found.accuracy_floor,
    )


def draft_body(draft: Draft) -> dict[str, Any]:
    """The version as plain JSON, as a file and the API have it."""
    opt_in, opening, explaining = draft.automatic, draft.opening, draft.explaining
    automatic = None if opt_in is None else {"action": opt_in.action.value, "opted_in_by": opt_in.opted_in_by, "reason": opt_in.reason}
    bands = [
        {"verdict": said.verdict.value, "agreed": said.agreed, "pass_below": band.pass_below, "flag_from": band.flag_from}
        for said, band in sorted(draft.bands.items(), key=lambda pair: (pair[0].verdict, not pair[0].agreed))
    ]
    return {
        "bands": bands,
        "queue": draft.queue,
        "flag_queue": opening.flag_queue,
        "disagreement_queue": opening.disagreement_queue,
        "qa_share": opening.qa_share,
        "double_share": opening.double_share,
        "faithfulness_share": explaining.faithfulness_share,
        "least_drop": explaining.least_drop,
        "attention_share": explaining.attention_share,
        "languages": list(explaining.languages),
        "accuracy_floor": draft.accuracy_floor,
        "automatic": automatic,
        "clauses": [{"id": clause.id, "title": clause.title, "reason": clause.reason} for clause in draft.clauses],
        "reason_required": draft.reason_required,
        "four_eyes": sorted(action.value for action in draft.four_eyes),
        "note": draft.note,
    }

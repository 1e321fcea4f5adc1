"""Attention maps as they are recorded: figures, and files by what names them in the evidence bucket. Pure, frozen."""

from dataclasses import dataclass

from worker.moderation.outcomes import EvidenceFacts, Stage

JOB_KEY = "maps"  # one job an outcome: it draws the maps of all its targets
POLICY_ACTOR = "policy:"  # begins the names of askers that are policies: what they ask for is a sample


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnTarget:
    """What one map explains, and its two pictures. `text` is the model's own words: untrusted."""

    name: str  # `zoom-verdict`, `scan-sentence-2`, `scan-box-1`
    stage: Stage
    kind: str  # verdict | sentence | box
    number: int  # from 1, among those of its kind and stage
    text: str
    on_images: float  # share of the relevance that lay on images; the rest lay on words
    layer: EvidenceFacts  # PNG with alpha, in pixels of the image as it was sent
    overlay: EvidenceFacts  # PNG that says by itself what it shows


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMaps:
    """All maps of one outcome. Masses are of the verdict's map over the whole image; None where nothing was named."""

    method: str
    release_id: str
    logprob_gap: float  # nats: own against recorded, the largest of the stages'
    mass_in_regions: float | None
    mass_in_random: float | None  # area-matched chance
    mass_in_placed: float | None  # a stricter chance: placed inside the image
    pointing_game: bool | None
    seconds: float
    values: EvidenceFacts  # npz: the raw arrays of all targets
    targets: tuple[DrawnTarget, ...]

    @property
    def files(self) -> tuple[EvidenceFacts, ...]:
        """Everything that is to be kept."""
        return (self.values, *(facts for target in self.targets for facts in (target.layer, target.overlay)))

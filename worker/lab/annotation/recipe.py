"""How pictures are annotated: every threshold is a setting, and all of them are part of what an output folder was begun with."""

from dataclasses import dataclass

from worker.lab.annotation.measures import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The filters of the published recipe: two explanations agree, two groundings agree, a box shows a part and not the subject."""

    measure: Measure = Measure.WORDS
    least_similarity: float | None = None  # of two clues that mean the same; None: what suits the measure
    least_shared: float = 0.3  # of the clues of the shorter explanation: below it, the two tell different stories
    least_iou: float = 0.5  # of two groundings of a clue: detection's customary threshold
    largest_share: float = 0.5  # of the picture's area
    subject_iou: float = 0.8  # with the main subject's box: above it, a box frames the subject instead of a detail
    same_clue_iou: float = 0.9  # two clues of a picture at the very same place are one: the first in the explanation stays
    explanation_tokens: int = 700  # the longest explanation, and what a budget reckons with
    temperature: float = 0.7  # of explanations: at 0 the second would repeat the first
    second_grounding_temperature: float = 0.3
    text_only: bool = False  # the explainer reads facts instead of the picture: plumbing, and its labels say so

    @property
    def similar_from(self) -> float:
        """The similarity from which two clues are one."""
        return self.measure.similar_from if self.least_similarity is None else self.least_similarity

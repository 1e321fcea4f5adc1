"""What tells that two clues mean the same. A closed set, apart from what computes it, which imports arrays."""

from enum import StrEnum


class Measure(StrEnum):
    """What similarity is measured by."""

    WORDS = "words"
    EMBEDDINGS = "embeddings"

    @property
    def similar_from(self) -> float:
        """The default threshold: half of the words, or the cosine from which all-MiniLM's pairs are usually paraphrases."""
        return {Measure.WORDS: 0.5, Measure.EMBEDDINGS: 0.6}[self]

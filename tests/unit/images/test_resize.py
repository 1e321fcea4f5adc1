import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from worker.images.resize import MAX_ASPECT, PixelLimits, legal_size
from worker.moderation.boxes import Size
from worker.moderation.errors import RejectedError

sides = st.integers(1, 16_384)
limits = st.builds(
    lambda factor, low, high: PixelLimits(factor, low * factor**2, (low + high) * factor**2),
    st.sampled_from([28, 32]),
    st.integers(1, 64),
    st.integers(0, 2000),
)


@given(sides, sides, limits)
@example(4000, 3000, PixelLimits(28, 784, 1280 * 784))
@example(14, 14, PixelLimits(28, 784, 1280 * 784))  # rounds half to even: 0 × 28
def test_sizes_equal_those_of_the_models_own_processor(width: int, height: int, limits: PixelLimits) -> None:
    factor, low, high = limits.factor, limits.min_pixels, limits.max_pixels
    if max(width, height) / min(width, height) > MAX_ASPECT:
        with pytest.raises(RejectedError, match="200 times"):
            limits.legal(Size(width, height))
        return
    theirs = smart_resize(height, width, factor=factor, min_pixels=low, max_pixels=high)
    ours = legal_size(Size(width, height), factor=factor, min_pixels=low, max_pixels=high)
    assert (ours.height, ours.width) == theirs


@given(sides, sides, limits)
def test_a_legal_size_is_whole_factors_and_never_empty(width: int, height: int, limits: PixelLimits) -> None:
    if max(width, height) > MAX_ASPECT * min(width, height):
        return
    legal = limits.legal(Size(width, height))
    assert legal.width % limits.factor == legal.height % limits.factor == 0
    assert min(legal.width, legal.height) >= limits.factor


@given(st.integers(28, 8000), st.integers(28, 8000))
def test_resizing_again_under_the_same_limits_changes_nothing(width: int, height: int) -> None:
    if max(width, height) > 20 * min(width, height):
        return
    limits = PixelLimits(28, 4 * 784, 1280 * 784)
    legal = limits.legal(Size(width, height))
    assert limits.legal(legal) == legal


def test_twelve_megapixels_become_1148_by_840() -> None:
    assert PixelLimits(28, 784, 1280 * 784).legal(Size(4000, 3000)) == Size(1148, 840)

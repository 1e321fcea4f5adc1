"""What was seen of an image, measured exactly."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.boxes import Box, Size
from worker.moderation.coverage import Coverage, coverage_of, measure, seen_areas
from worker.moderation.outcomes import Outcome, OutcomeKind, Region, SourceFacts, Verdict

SIZE = Size(40, 30)


def cut(box: tuple[int, int, int, int], scale: float) -> Region:
    return Region(box=Box(*box), reason="hand", crop_box=Box(*box), scale=scale)


def figures(coverage: Coverage) -> tuple[float, float, float, float]:
    return coverage.least, coverage.mean, coverage.share_half, coverage.share_native


def test_without_crops_everything_was_seen_at_the_scans_resolution() -> None:
    assert figures(measure(SIZE, Size(10, 7), ())) == pytest.approx((0.2415229, 0.2415229, 0, 0))
    assert figures(measure(SIZE, Size(80, 60), ())) == (2, 2, 1, 1)


def test_rounding_to_patches_is_full_resolution_and_more_than_that_is_not() -> None:
    assert measure(Size(1010, 1010), Size(1008, 1008), ()).share_native == 1
    assert measure(Size(1010, 1010), Size(952, 952), ()).share_native == 0


def test_where_looks_overlap_the_closest_one_counts_once() -> None:
    crops = (cut((0, 0, 20, 30), 0.5), cut((10, 0, 30, 15), 1.0), cut((10, 0, 30, 15), 0.1))
    measured = measure(SIZE, Size(10, 7), crops)
    scan = 0.24152294576982397
    assert measured.share_native == 300 / 1200
    assert measured.share_half == (600 + 150) / 1200  # half of the second crop lies in the first
    assert measured.least == scan
    assert measured.mean == pytest.approx((300 * 1.0 + 450 * 0.5 + 450 * scan) / 1200)


def test_a_region_that_was_not_cut_adds_nothing() -> None:
    named = Region(box=Box(1, 1, 5, 5), reason="hand")
    whole, crop = seen_areas(SIZE, SIZE, (named, cut((2, 2, 4, 4), 1.5)))
    assert (whole.position, whole.resolution) == (None, 1)
    assert (crop.position, crop.resolution) == (2, 1.5)


def painted(regions: list[Region], scan: float) -> list[float]:
    """The same, pixel by pixel."""
    seen = [scan] * SIZE.pixels
    for region in regions:
        assert region.crop_box is not None
        assert region.scale is not None
        x0, y0, x1, y1 = region.crop_box.corners()
        for place in (y * SIZE.width + x for y in range(y0, y1) for x in range(x0, x1)):
            seen[place] = max(seen[place], region.scale)
    return seen


spans = st.tuples(st.integers(0, 29), st.integers(0, 29), st.integers(1, 12), st.integers(1, 12))
boxes = spans.map(lambda s: (s[0], s[1], min(s[0] + s[2], SIZE.width), min(s[1] + s[3], SIZE.height)))
regions = st.lists(st.builds(cut, boxes, st.sampled_from([0.1, 0.5, 0.94, 0.95, 1.0, 3.0])), max_size=7)


@given(regions, st.integers(1, 60))
def test_the_figures_are_those_of_counting_pixels(cuts: list[Region], side: int) -> None:
    measured = measure(SIZE, Size(side, side), cuts)
    pixels = painted(cuts, seen_areas(SIZE, Size(side, side), ())[0].resolution)
    assert measured.share_half == sum(seen >= 0.5 for seen in pixels) / SIZE.pixels
    assert measured.share_native == sum(seen >= 0.95 for seen in pixels) / SIZE.pixels
    assert measured.least == min(pixels)
    assert measured.mean == pytest.approx(sum(pixels) / SIZE.pixels)


def test_only_a_verdict_whose_sizes_are_known_has_a_record() -> None:
    source = SourceFacts(sha256="0", size=SIZE)
    verdict = Outcome(ordinal=0, kind=OutcomeKind.VERDICT, verdict=Verdict.REAL, source=source, sent_size=Size(20, 15))
    recorded = coverage_of(verdict)
    assert recorded is not None
    assert (recorded.size, recorded.sent, recorded.mean) == (SIZE, Size(20, 15), 0.5)
    assert coverage_of(replace(verdict, kind=OutcomeKind.UNREADABLE, verdict=None)) is None
    assert coverage_of(replace(verdict, sent_size=None)) is None
    assert coverage_of(replace(verdict, source=None)) is None
    assert coverage_of(replace(verdict, source=replace(source, size=None))) is None

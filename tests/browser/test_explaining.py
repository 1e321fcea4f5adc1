"""How far an explanation holds, beside the picture and over it: what the model looked at."""

import json
import re
from dataclasses import replace

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from sqlalchemy import Engine

from tests.browser.cases import Case, Said
from tests.browser.easel import Easel
from tests.browser.judging import Chair, sit_down
from tests.browser.people import House
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.watching import NO_ANSWER, Watch
from tests.browser.world import Seeded, seed
from worker.intake.storage import Storage
from worker.moderation.boxes import Box
from worker.moderation.faithfulness import CheckCost, Faithfulness, Fill, Masking, found
from worker.moderation.outcomes import Outcome, OutcomeKind
from worker.moderation.settings import Settings
from worker.store.faithfulness import write_checks
from worker.store.outcome_rows import Place
from worker.store.session import transaction

UNDER_WAY = "An attention map is being drawn…"
LARGE, SMALL = "large", "small"
TIMES = 6  # sides of a sample: nine megapixels, of which the scan saw one


def large(*corners: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (corner * TIMES for corner in corners)
    return x0, y0, x1, y1


CASES = (
    Case(
        name=LARGE,
        picture="astronaut-regenerated.jpg",
        score=0.62,
        enlarged=TIMES,
        explanation="The letters in region 1 do not form words. In region 2 the stripes run into each other.",
        regions=(
            Said(large(200, 340, 240, 380), "letters on the suit", "letters without form"),
            Said(large(20, 60, 120, 250), "stripes of the flag", "stripes merge at the fold"),
        ),
    ),
    Case(name=SMALL, picture="bridge-regenerated.jpg", score=0.6, explanation="Nothing certain."),
)


@pytest.fixture
def seeded(site_settings: Settings, engine: Engine, storage: Storage) -> Seeded:
    """One image that the scan saw shrunken, and one that it saw as it is."""
    return seed(site_settings, engine, storage, cases=CASES)


def checked(seeded: Seeded, engine: Engine, case: str, found: Faithfulness) -> None:
    """The explanation of a case was tested when it was judged."""
    place = Place(batch_id=seeded.batch_id, revision=1, chunk_id=0)
    outcome = Outcome(ordinal=seeded.ordinal(case), kind=OutcomeKind.VERDICT, faithfulness=found)
    with transaction(engine) as session:
        write_checks(session, place, [outcome])


@pytest.fixture
def easel(engine: Engine, storage: Storage, site_settings: Settings) -> Easel:
    return Easel(engine, storage, site_settings)


def layer(place: Locator, name: str) -> Locator:
    """A layer's button on the picture."""
    return place.locator(".viewer-layers").get_by_role("button", name=name)


def panel(place: Locator, title: str) -> Locator:
    """A panel beside the picture, opened."""
    found = place.locator("details.panel", has_text=title)
    found.locator("summary").click()
    return found


def at(chair: Chair, share_x: float, share_y: float) -> str:
    """The class of what the map says of a place of the image, given in shares of its sides."""
    sheet = chair.task.locator(".coverage-map")
    look = """(map, [x, y]) => {
        const { width, height } = map.viewBox.baseVal;
        const point = new DOMPoint(x * width, y * height);
        return [...map.querySelectorAll('path')].filter((path) => path.isPointInFill(point)).map((path) => path.classList[0]).join(' ');
    }"""
    return str(sheet.evaluate(look, [share_x, share_y]))


def test_what_was_seen_how_closely_is_drawn_over_the_picture_and_told_beside_it(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(LARGE, SMALL)
    chair = sit_down(reviewer)
    chair.sees(seeded.task(LARGE))
    expect(layer(chair.task, "Coverage")).to_have_attribute("aria-pressed", "false")
    chair.keys("o")
    expect(layer(chair.task, "Coverage")).to_have_attribute("aria-pressed", "true")
    expect(chair.task.locator("zoom-image [role=status]").last).to_contain_text("of the image was seen at half resolution or more")
    assert at(chair, 0.9, 0.9) == "coverage-2", "the scan saw a third of the pixels of a side"
    assert at(chair, 0.43, 0.7) == "coverage-0", "the crop of box 1 was seen as it is"
    told = panel(chair.task, "What the model looked at")
    expect(told.get_by_role("row", name="Crop of box 1")).to_contain_text("1.00")
    expect(told.get_by_role("row", name="Whole image")).to_contain_text("0.32")
    check_accessible(reviewer)
    screenshot(reviewer, "coverage")
    chair.keys("o")
    expect(chair.task.locator(".coverage-map")).to_be_hidden()
    expect(chair.task.locator("zoom-image [role=status]").last).to_have_text("Coverage not shown.")


def test_whether_the_explanation_moves_the_score_is_told_and_what_was_not_tested_is_said(
    reviewer: Page, seeded: Seeded, engine: Engine
) -> None:
    together = Masking(position=0, fill=Fill.BLUR, p_masked=0.2, p_control=0.6, controls=(Box(0, 0, 9, 9),))
    cost = CheckCost(requests=28, seconds=9.3)
    checked(seeded, engine, LARGE, found(0.62, (together, replace(together, position=1, fill=Fill.MEAN, p_masked=0.31)), cost))
    reviewer.goto(f"/review/items/{seeded.item(LARGE)}")
    told = panel(reviewer.locator("main"), "Whether the explanation moves the score")
    expect(told.locator(".numbers")).to_contain_text("With what it cites hidden−0.420With as much hidden elsewhere−0.020")
    expect(told).to_contain_text("What it cites takes 0.400 more of the score with it than the same area elsewhere.")
    expect(told.get_by_role("row", name="Box 1, in their mean colour")).to_contain_text("0.310")
    expect(told).to_contain_text("Tested by 28 more requests, in 9.3 s.")
    reviewer.goto(f"/review/items/{seeded.item(SMALL)}")
    expect(reviewer.get_by_text("What the image went through before it came was not measured")).to_be_visible()
    expect(reviewer.get_by_text("Not tested: a share of what is called generated is")).to_be_visible()


def test_a_layer_lies_on_its_pixels_at_any_zoom_is_remembered_and_hides_with_the_picture(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(LARGE, SMALL)
    chair = sit_down(reviewer)
    chair.keys("o", "1", "f")
    covered = chair.task.locator(".coverage-map .coverage-0")
    expect(covered).to_be_visible()
    crop, box = settled(covered), settled(chair.box(1))
    margin = 0.1 * box[2] / 1.2  # what was cut is a tenth larger on each side, give or take what whole pixels and patches take
    assert crop[0] < box[0] < crop[0] + 2 * margin
    assert crop[0] + crop[2] > box[0] + box[2]
    reviewer.evaluate("localStorage.setItem('review preferences', JSON.stringify({ blur: true }))")
    reviewer.reload()
    expect(layer(chair.task, "Coverage")).to_have_attribute("aria-pressed", "true")
    expect(chair.task.locator(".coverage-map")).to_be_hidden()
    chair.task.locator("zoom-image").press("v")
    expect(chair.task.locator(".coverage-map")).to_be_visible()
    reviewer.emulate_media(color_scheme="dark")
    screenshot(reviewer, "coverage-dark")


def settled(place: Locator) -> tuple[float, float, float, float]:
    """Where it is, once it rests."""
    rest = """(element) => new Promise((done) => {
        let last = null;
        const look = () => {
            const { x, y, width, height } = element.getBoundingClientRect();
            const now = [x, y, width, height];
            if (last && now.every((value, place) => value === last[place])) done(now);
            else { last = now; requestAnimationFrame(look); }
        };
        requestAnimationFrame(look);
    })"""
    x, y, width, height = place.evaluate(rest)
    return x, y, width, height


def test_a_map_is_asked_for_waited_for_and_laid_over_the_picture(reviewer: Page, seeded: Seeded, easel: Easel) -> None:
    seeded.offer(LARGE, SMALL)
    chair = sit_down(reviewer)
    chair.sees(seeded.task(LARGE))
    told = panel(chair.task, "Where the model attended")
    told.get_by_role("button", name="Draw an attention map").press("Enter")
    expect(told.get_by_role("status")).to_have_text(UNDER_WAY)
    easel.draw(easel.claim())
    expect(told.locator(".numbers")).to_contain_text("Attention inside boxes41.2 %The same area by chance11.8 %Times chance3.5")
    expect(told).to_contain_text("differ from the recorded ones by 0.0031")
    expect(layer(chair.task, "Attention")).to_have_attribute("aria-pressed", "true")
    sheet = chair.task.locator("zoom-image > img.viewer-sheet")
    expect(sheet).to_be_visible()
    expect(sheet).to_have_attribute("src", re.compile("/layers/zoom-verdict$"))
    picture = chair.task.locator("zoom-image > .viewer-picture").first
    expect(picture).to_have_css("filter", "grayscale(1)")  # all colour is the map's
    expect(told).to_be_focused()  # the button is gone, and a list would swallow letters
    reviewer.keyboard.press("g")
    expect(sheet).to_be_hidden()
    expect(picture).to_have_css("filter", "none")
    reviewer.keyboard.press("g")
    expect(sheet).to_be_visible()
    check_accessible(reviewer)
    screenshot(reviewer, "attention")
    harmful = "Sentence 1 of the zoom: <script>window.hacked = 1</script><img src=x onerror='wi…"
    expect(told.get_by_label("Attention of").locator("option")).to_have_text(["The zoom's verdict: generated", harmful, "Box 1"])
    told.get_by_label("Attention of").select_option("Box 1")
    expect(sheet).to_have_attribute("src", re.compile("/layers/scan-box-1$"))
    expect(chair.task.locator(".viewer-legend")).to_contain_text("Box 1")
    chair.keys("g")
    expect(sheet).to_be_hidden()


def test_a_map_that_could_not_be_drawn_says_why_and_can_be_asked_for_again(
    reviewer: Page, house: House, seeded: Seeded, easel: Easel
) -> None:
    reviewer.goto(f"/review/items/{seeded.item(SMALL)}")
    layer(reviewer.locator("main"), "Attention").click()
    expect(reviewer.locator("#notices")).to_contain_text("No attention map was drawn of this verdict yet.")
    told = reviewer.locator("details.panel", has_text="Where the model attended")
    told.get_by_role("button", name="Draw an attention map").click()
    expect(told.get_by_role("status")).to_have_text(UNDER_WAY)
    easel.put_back(easel.claim())
    expect(told.get_by_role("status")).to_have_text("It is tried again: The storage is away.")
    easel.refuse(easel.claim())
    expect(told.get_by_role("alert")).to_contain_text("Retention has removed pixels that the model was sent.")
    told.get_by_role("button", name="Draw it again").click()
    expect(told.get_by_role("status")).to_have_text(UNDER_WAY)
    easel.draw(easel.claim())
    expect(told.get_by_label("Attention of")).to_be_visible()
    looks_on = house.sign_in("viewer", to=f"/review/items/{seeded.item(LARGE)}")
    expect(panel(looks_on.locator("main"), "Where the model attended")).to_contain_text("No map was drawn of this verdict.")


def test_a_map_that_means_nothing_says_so_over_the_picture_and_beside_it(reviewer: Page, seeded: Seeded, easel: Easel) -> None:
    reviewer.set_viewport_size({"width": 820, "height": 1180})
    reviewer.goto(f"/review/items/{seeded.item(SMALL)}")
    main = reviewer.locator("main")
    told = panel(main, "Where the model attended")
    told.get_by_role("button", name="Draw an attention map").click()
    expect(told.get_by_role("status")).to_have_text(UNDER_WAY)
    easel.draw_of_nothing(easel.claim())
    expect(told.locator(".honesty")).to_have_text("UNTRAINED model: what it attends to means nothing.")
    expect(told).to_contain_text("No box was named, or none of the attention lies on the whole image: there is nothing to compare.")
    expect(told.locator(".numbers")).to_have_count(0)
    expect(told.get_by_label("Attention of").locator("option")).to_have_text(
        ["What spoke for “generated”, though the zoom said real", "Sentences from 12 on of the zoom: It ends. Or not."]
    )
    expect(main.locator(".viewer-legend .honesty")).to_have_text("UNTRAINED model: what it attends to means nothing.")
    check_accessible(reviewer)
    reviewer.evaluate("scrollTo(0, 0)")
    reviewer.emulate_media(color_scheme="dark")
    screenshot(reviewer, "attention-untrained-dark")


def test_what_is_refused_for_now_says_why_and_stays_until_it_is_tried_again(
    reviewer: Page, watch: Watch, seeded: Seeded, easel: Easel
) -> None:
    watch.expect(409, "/attention-maps$")
    watch.expect(NO_ANSWER, "/attention-maps$")
    refusal = {"title": "Maps wait", "detail": "200 attention maps of yours wait already. Ask again when some of them are drawn."}
    asked = re.compile("/attention-maps$")

    def refuse(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(status=409, content_type="application/problem+json", body=json.dumps(refusal))
        else:
            route.continue_()

    reviewer.route(asked, refuse)
    reviewer.goto(f"/review/items/{seeded.item(LARGE)}")
    told = panel(reviewer.locator("main"), "Where the model attended")
    told.get_by_role("button", name="Draw an attention map").click()
    expect(told.get_by_role("alert")).to_contain_text("attention maps of yours wait already. Ask again when some of them are drawn.")
    reviewer.context.set_offline(True)
    told.get_by_role("button", name="Try again").click()
    expect(told.get_by_role("alert")).not_to_contain_text("wait already")
    expect(told.get_by_role("button", name="Try again")).to_be_visible()
    reviewer.context.set_offline(False)
    reviewer.unroute(asked)
    told.get_by_role("button", name="Try again").click()
    told.get_by_role("button", name="Draw an attention map").click()
    expect(told.get_by_role("status")).to_have_text(UNDER_WAY)
    easel.draw(easel.claim())
    expect(told.get_by_label("Attention of")).to_be_visible()

"""The page that people judge on all day: by keyboard alone, by mouse, in the dark, on a tablet."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.cases import BRIDGE, BROKEN, CITRUS, FLOWER, GONE, PORTRAIT
from tests.browser.judging import REASON, Chair, sit_down
from tests.browser.people import House
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.watching import Watch
from tests.browser.world import Seeded


def test_a_whole_sitting_needs_no_mouse(reviewer: Page, seeded: Seeded, actors: dict[str, str]) -> None:
    seeded.offer(CITRUS, PORTRAIT, BRIDGE)
    reviewer.reload()
    reviewer.get_by_role("link", name="Review default").press("Enter")
    chair = Chair(reviewer)
    chair.sees(seeded.task(CITRUS))
    chair.answer("a", "The peel is real.")
    chair.sees(seeded.task(PORTRAIT))
    chair.keys("1", "y", "2", "x")
    chair.answer("r", "No such letters exist.")
    chair.sees(seeded.task(BRIDGE))
    chair.answer("u", "I cannot tell.")
    expect(chair.notices).to_contain_text(f"Task {seeded.task(BRIDGE)}: unsure")
    me = actors["reviewer"]
    assert seeded.reviews(CITRUS) == [(me, "real", "The peel is real.")]
    assert seeded.reviews(PORTRAIT) == [(me, "generated", "No such letters exist.")]
    assert seeded.reviews(BRIDGE) == [(me, "unsure", "I cannot tell.")]
    assert seeded.judgements(PORTRAIT) == [("accept", 1, None), ("reject", 2, None)]


def test_everything_that_is_needed_to_judge_is_in_view(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(PORTRAIT, BRIDGE)
    chair = sit_down(reviewer)
    expect(chair.task.get_by_text("The model says generated")).to_be_visible()
    expect(chair.task.get_by_text("P(generated) 0.620")).to_be_visible()
    expect(chair.region(1)).to_contain_text("Scan: letters on the suit")
    expect(chair.region(1)).to_contain_text("Zoom: letters without form; texture too smooth")
    for number in (1, 2, 3):
        expect(chair.box(number)).to_be_visible()
        crop = chair.region(number).get_by_role("img")
        crop.scroll_into_view_if_needed()
        assert crop.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    chair.task.get_by_text("Provenance, versions, metadata").click()
    for fact in ("qwen2.5-vl-7b-tuned", "default@1", "browser/astronaut-regenerated.jpg", "user-17"):
        expect(chair.task.locator(".provenance")).to_contain_text(fact)
    expect(chair.task.get_by_role("link", name="Trace")).to_have_attribute(
        "href", f"/review/items/{seeded.item(PORTRAIT)}/trace?revision=1"
    )


def test_a_disagreement_of_scan_and_zoom_is_shown(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(BRIDGE)
    expect(sit_down(reviewer).task.get_by_text("its scan had said real")).to_be_visible()


def test_an_answer_needs_a_verdict_and_a_reason_and_says_where(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(PORTRAIT)
    chair = sit_down(reviewer)
    chair.keys("n")
    expect(chair.complaint).to_contain_text("Choose a verdict first")
    chair.keys("u", "n")
    expect(chair.complaint).to_contain_text("Write the reason")
    expect(chair.note).to_be_focused()
    chair.page.keyboard.insert_text(REASON)
    chair.page.keyboard.press("ControlOrMeta+Enter")
    expect(chair.notices).to_contain_text("unsure")
    assert len(seeded.reviews(PORTRAIT)) == 1


def test_letters_are_letters_where_somebody_types(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(PORTRAIT)
    chair = sit_down(reviewer)
    chair.keys("a", "e")
    chair.page.keyboard.type(" run1zxs?")
    expect(chair.note).to_have_value(" run1zxs?")
    expect(chair.verdict("Approve")).to_be_checked()
    chair.sees(seeded.task(PORTRAIT))


def test_the_key_map_opens_and_closes_by_keyboard_and_keys_can_be_switched_off(reviewer: Page, seeded: Seeded) -> None:
    chair = sit_down(reviewer)
    chair.keys("?")
    keys = reviewer.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Select a box")
    check_accessible(reviewer)
    screenshot(reviewer, "keys")
    chair.keys("Escape")
    expect(keys).to_be_hidden()
    reviewer.get_by_role("button", name="View").click()
    reviewer.get_by_label("Keys of one letter").uncheck()
    reviewer.get_by_role("button", name="Done").click()
    chair.keys("a")
    expect(chair.verdict("Approve")).not_to_be_checked()


def test_hovering_links_box_crop_and_sentence(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(PORTRAIT)
    chair = sit_down(reviewer)
    sentence = chair.task.locator(".cites", has_text="In region 3")
    sentence.hover()
    expect(chair.box(3)).to_contain_class("highlighted")
    expect(chair.region(3)).to_contain_class("lit")
    expect(chair.region(1)).not_to_contain_class("lit")
    chair.box(1).hover()
    expect(chair.region(1)).to_contain_class("lit")
    expect(chair.task.locator(".cites", has_text="in region 1")).to_contain_class("lit")
    expect(sentence).not_to_contain_class("lit")
    chair.region(2).hover()
    expect(chair.box(2)).to_contain_class("highlighted")


def test_an_image_can_be_blurred_greyed_and_hidden_behind_its_crops(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(CITRUS, PORTRAIT)
    chair = sit_down(reviewer)
    reviewer.get_by_role("button", name="View").click()
    for choice in ("Blur images", "without colour", "crops first"):
        reviewer.get_by_label(choice).check()
    check_accessible(reviewer)
    reviewer.get_by_role("button", name="Done").click()
    viewer, picture = chair.task.locator("zoom-image"), chair.task.locator("zoom-image > img")
    expect(chair.task.get_by_role("button", name="Show the whole image")).to_be_visible()
    screenshot(reviewer, "crops-first")
    chair.answer("a")
    chair.sees(seeded.task(PORTRAIT))
    chair.task.get_by_role("button", name="Show the whole image").click()
    expect(picture).to_have_css("opacity", "0")
    assert "grayscale" in viewer.evaluate("(viewer) => [...viewer.children].map((part) => getComputedStyle(part).filter).join()")
    assert viewer.evaluate("(viewer) => viewer.exposureSeconds") == 0
    chair.keys("v")
    expect(picture).to_have_css("opacity", "1")
    reviewer.wait_for_function("document.querySelector('article.task:not([hidden]) zoom-image').exposureSeconds > 0")


def test_tasks_are_skipped_held_and_given_back(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(CITRUS, PORTRAIT, BRIDGE, FLOWER)
    chair = sit_down(reviewer)
    chair.sees(seeded.task(CITRUS))
    chair.keys("s")
    aside = reviewer.get_by_role("dialog", name="Skip this image")
    expect(aside).to_be_visible()
    check_accessible(reviewer)
    chair.keys("Escape")
    expect(aside).to_be_hidden()
    chair.sees(seeded.task(CITRUS))
    chair.keys("s")
    expect(aside).to_be_visible()
    reviewer.keyboard.type("I know the orchard.")
    chair.keys("Enter")
    chair.sees(seeded.task(PORTRAIT))
    chair.keys("h")
    expect(reviewer.get_by_role("dialog", name="Put this image on hold")).to_be_visible()
    reviewer.keyboard.type("Asked a colleague.")
    chair.keys("Enter")
    chair.sees(seeded.task(BRIDGE))
    expect(chair.notices).to_contain_text("On hold.")
    assert (seeded.state(CITRUS), seeded.state(PORTRAIT)) == ("open", "held")
    chair.task.get_by_role("button", name="Give back").click()
    chair.sees(seeded.task(FLOWER))


def test_the_next_image_is_there_before_it_is_asked_for(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(CITRUS, PORTRAIT)
    chair = sit_down(reviewer)
    ahead = reviewer.locator(f"#task-{seeded.task(PORTRAIT)}")
    expect(ahead).to_be_attached()
    expect(ahead).to_be_hidden()
    assert ahead.evaluate("(task) => task.querySelector('zoom-image').ready")
    image = ahead.locator("zoom-image img").get_attribute("src") or ""
    asked: list[str] = []
    reviewer.on("request", lambda request: asked.append(request.url))
    chair.answer("a")
    chair.sees(seeded.task(PORTRAIT))
    expect(chair.notices).to_contain_text("real")
    assert not [url for url in asked if url.endswith(image)]


def test_an_image_gone_from_the_bucket_says_so_and_can_still_be_judged(reviewer: Page, seeded: Seeded, watch: Watch) -> None:
    seeded.offer(GONE)
    watch.expect(404, f"{seeded.item(GONE)}/image")
    chair = sit_down(reviewer)
    expect(chair.task.locator(".viewer-missing")).to_contain_text("no longer kept")
    expect(chair.box(1)).to_be_visible()
    check_accessible(reviewer)
    screenshot(reviewer, "image-gone")
    chair.keys("1", "y")
    chair.answer("r")
    expect(chair.notices).to_contain_text("generated")
    assert seeded.judgements(GONE) == [("accept", 1, None)]


def test_an_image_that_was_never_read_has_an_answer_but_no_picture(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(BROKEN)
    chair = sit_down(reviewer)
    expect(chair.task.get_by_text("The image is damaged.")).to_be_visible()
    check_accessible(reviewer)
    chair.answer("u")
    expect(chair.notices).to_contain_text("unsure")
    assert len(seeded.reviews(BROKEN)) == 1


def test_a_page_that_is_loaded_again_has_the_same_task_and_what_was_typed(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(PORTRAIT, BRIDGE)
    chair = sit_down(reviewer)
    chair.sees(seeded.task(PORTRAIT))
    chair.keys("r", "1", "x")
    chair.write("Half a thought")
    reviewer.reload()
    chair.sees(seeded.task(PORTRAIT))
    expect(chair.note).to_have_value("Half a thought")
    expect(chair.verdict("Reject")).to_be_checked()
    assert chair.judgements() == [{"kind": "reject", "position": 1}]


def test_an_empty_queue_says_so(reviewer: Page, seeded: Seeded) -> None:
    chair = sit_down(reviewer, "appeals")
    seeded.world.rows("UPDATE review_tasks SET state = 'withdrawn', closed_at = now() WHERE state = 'open'")
    seeded.world.rows("UPDATE review_claims SET state = 'released', ended_at = now() WHERE state = 'active'")
    reviewer.reload()
    chair.sees_nothing()
    check_accessible(reviewer)


@pytest.mark.parametrize(("width", "height"), [(768, 1024), (1280, 800), (1920, 1080)])
def test_the_page_fits_from_a_tablet_to_a_wide_screen(house: House, seeded: Seeded, width: int, height: int) -> None:
    seeded.offer(PORTRAIT)
    chair = sit_down(house.sign_in("reviewer", size={"width": width, "height": height}))
    chair.keys("r", "1")
    assert chair.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(chair.task.locator("zoom-image")).to_be_in_viewport()
    expect(chair.task.get_by_role("button", name="Record, next")).to_be_in_viewport()
    assert chair.task.locator("zoom-image").evaluate("(viewer) => viewer.ready")
    check_accessible(chair.page)
    screenshot(chair.page, {768: "judging-tablet", 1280: "judging", 1920: "judging-wide"}[width])


def test_the_page_is_as_good_in_the_dark(house: House, seeded: Seeded) -> None:
    seeded.offer(PORTRAIT)
    chair = sit_down(house.sign_in("reviewer", scheme="dark"))
    chair.keys("r", "1")
    assert chair.task.locator("zoom-image").evaluate("(viewer) => viewer.ready")
    screenshot(chair.page, "judging-dark")

"""Searching, as people do it: a form, links, filters that are kept; hostile text, and what is not there."""

import csv
import io
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.cases import CASES, CITRUS, FLOWER, GONE, HOSTILE_TEXT
from tests.browser.people import House
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.world import Seeded
from worker.moderation.review import DEFAULT_QUEUE

PATH = "/review/search"


@pytest.fixture
def of_batch(seeded: Seeded) -> str:
    """The address of a search in the test's own batch."""
    return f"{PATH}?batch={seeded.batch_id}"


def asked(page: Page) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(page.url).query))


def test_a_form_finds_by_words_and_labels_and_its_address_is_the_filter(reviewer: Page, seeded: Seeded) -> None:
    reviewer.goto(PATH)
    reviewer.keyboard.press("/")
    reviewer.keyboard.type("melting seed")
    reviewer.get_by_label("The model said").select_option("generated")
    reviewer.get_by_label("Score from").fill("0.9")
    reviewer.get_by_label("Batch").fill(str(seeded.batch_id))
    reviewer.keyboard.press("Enter")
    reviewer.wait_for_url("**words=melting**")
    expect(reviewer.get_by_role("heading", name="1 image", exact=True)).to_be_visible()
    expect(reviewer.get_by_role("link", name=FLOWER)).to_have_attribute("href", f"/review/items/{seeded.item(FLOWER)}")
    expect(reviewer.locator("mark")).to_have_text(["seeds", "melt", "seeds", "seeds", "melt"])
    check_accessible(reviewer)
    screenshot(reviewer, "search")
    reviewer.get_by_role("link", name="Remove Score from: 0.9").click()
    assert asked(reviewer) == {"words": "melting seed", "verdict": "generated", "batch": str(seeded.batch_id)}
    expect(reviewer.get_by_label("Words of the explanation")).to_have_value("melting seed")


def test_model_text_is_text_whatever_it_holds(reviewer: Page, of_batch: str) -> None:
    reviewer.goto(f"{of_batch}&words=hacked")
    card = reviewer.get_by_role("listitem").filter(has=reviewer.get_by_role("link", name=HOSTILE_TEXT, exact=True))
    expect(card.locator("mark").first).to_have_text("hacked")
    expect(card.locator("script, style, img, section")).to_have_count(0)
    assert reviewer.evaluate("window.hacked") is None
    shown = card.locator(".said").inner_text()
    assert "<script>" in shown
    assert len(shown) <= 400
    assert not set("\u202e\u2066\u200b\ufeff") & set(shown)
    assert reviewer.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_nothing_found_says_what_could_be_loosened(reviewer: Page, of_batch: str) -> None:
    reviewer.goto(f"{of_batch}&words=unheard+of&verdict=real")
    expect(reviewer.get_by_role("heading", name="Nothing found")).to_be_visible()
    check_accessible(reviewer)
    reviewer.get_by_role("link", name="Search without Words: unheard of").click()
    expect(reviewer.get_by_role("link", name=CITRUS)).to_be_visible()


def test_what_cannot_be_searched_for_is_said_and_what_was_typed_stays(reviewer: Page, house: House) -> None:
    house.watch.expect(422, PATH)
    reviewer.goto(f"{PATH}?words=hand&score_from=0.9&score_to=0.2")
    expect(reviewer.get_by_role("alert")).to_contain_text("Score from: it is above score_to.")
    expect(reviewer.get_by_label("Words of the explanation")).to_have_value("hand")
    expect(reviewer.get_by_label("Score to")).to_have_value("0.2")
    check_accessible(reviewer)
    reviewer.goto(f"{PATH}?words=the")
    expect(reviewer.get_by_role("alert")).to_contain_text("too common")


def test_pictures_are_shown_when_they_are_asked_for_and_not_before(reviewer: Page, house: House, of_batch: str, seeded: Seeded) -> None:
    looks = "SELECT count(*) FROM audit_events WHERE action = 'image.read' AND batch_id = :id"
    reviewer.goto(of_batch)
    expect(reviewer.locator(".picture")).to_have_count(0)
    assert seeded.world.value(looks, id=seeded.batch_id) == 0
    house.watch.expect(404, f"{seeded.item(GONE)}/image")
    reviewer.get_by_label("Show pictures").check()
    reviewer.get_by_role("button", name="Search", exact=True).click()
    reviewer.wait_for_url("**pictures=yes**")
    for picture in reviewer.locator(".picture").all():
        picture.scroll_into_view_if_needed()
    expect(reviewer.get_by_text("no longer kept")).to_have_count(1)
    reviewer.wait_for_function("[...document.querySelectorAll('.picture img')].every((image) => image.complete && image.naturalWidth)")
    pictured = sum(case.picture is not None for case in CASES) - 1
    assert reviewer.locator(".picture img").count() == pictured == seeded.world.value(looks, id=seeded.batch_id)
    check_accessible(reviewer)
    reviewer.evaluate("scrollTo(0, 0)")
    screenshot(reviewer, "search-pictures")


def test_an_export_is_what_is_shown(reviewer: Page, of_batch: str, tmp_path: Path) -> None:
    reviewer.goto(f"{of_batch}&verdict=real")
    shown = reviewer.locator(".found h3").all_inner_texts()
    with reviewer.expect_download() as download:
        reviewer.get_by_role("link", name="CSV").click()
    download.value.save_as(tmp_path / "found.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "found.csv").read_text("utf-8"), newline="")))
    assert [row["custom_id"] for row in rows] == shown != []


def test_a_filter_is_saved_found_again_removed_and_brought_back(reviewer: Page, of_batch: str) -> None:
    reviewer.goto(f"{of_batch}&words=seeds")
    name = reviewer.get_by_label("Name of this filter")
    name.fill("a/b")
    reviewer.get_by_role("button", name="Save").click()
    assert "begins with a letter or digit" in name.evaluate("field => field.matches(':invalid') && field.title")
    name.fill("melting seeds")
    reviewer.get_by_role("button", name="Save").click()
    kept = reviewer.get_by_role("link", name="melting seeds")
    expect(kept).to_be_visible()
    check_accessible(reviewer)
    reviewer.goto(PATH)
    kept.click()
    expect(reviewer.get_by_role("link", name=FLOWER)).to_be_visible()
    reviewer.get_by_role("button", name="Remove melting seeds").click()
    expect(kept).to_have_count(0)
    reviewer.get_by_role("button", name="Undo").click()
    expect(kept).to_be_visible()
    reviewer.get_by_role("button", name="Remove melting seeds").click()
    expect(kept).to_have_count(0)


def test_what_is_shared_is_everybody_s_and_a_lead_takes_it_away(
    reviewer: Page, lead: Page, viewer: Page, house: House, of_batch: str
) -> None:
    house.watch.expect(409, "/v1/saved-filters/")
    reviewer.goto(f"{of_batch}&decided=none")
    reviewer.get_by_label("Name of this filter").fill("Undecided")
    reviewer.get_by_label("Share with the team").check()
    reviewer.get_by_role("button", name="Save").click()
    expect(reviewer.get_by_text("yours, shared")).to_be_visible()
    lead.goto(f"{of_batch}&decided=none")
    lead.get_by_label("Name of this filter").fill("Undecided")
    lead.get_by_label("Share with the team").check()
    lead.get_by_role("button", name="Save").click()
    expect(lead.get_by_role("alert")).to_contain_text("Choose another name.")
    viewer.goto(of_batch)
    expect(viewer.get_by_role("link", name="Undecided")).to_be_visible()
    expect(viewer.get_by_role("button", name="Remove Undecided")).to_have_count(0)
    expect(viewer.get_by_label("Share with the team")).to_have_count(0)
    lead.goto(PATH)
    lead.once("dialog", lambda dialog: dialog.accept())
    lead.get_by_role("button", name="Remove Undecided").click()
    expect(lead.get_by_role("link", name="Undecided")).to_have_count(0)


def test_a_search_needs_no_script(house: House, of_batch: str) -> None:
    page = house.sign_in("reviewer")
    plain = page.context.browser.new_context(  # type: ignore[union-attr]
        base_url=house.site, java_script_enabled=False, storage_state=page.context.storage_state()
    )
    house.watch.over(plain)
    without = plain.new_page()
    without.goto(of_batch)
    without.get_by_label("Words of the explanation").fill("seeds")
    without.get_by_role("button", name="Search", exact=True).click()
    expect(without.get_by_role("link", name=FLOWER)).to_be_visible()
    expect(without.get_by_label("Name of this filter")).to_be_hidden()
    plain.close()


def test_nobody_learns_of_another_s_answer_to_what_they_may_still_judge(
    reviewer: Page, colleague: Page, lead: Page, seeded: Seeded, actors: dict[str, str], of_batch: str
) -> None:
    seeded.world.rows("UPDATE review_tasks SET slots = 2 WHERE batch_id = :id", id=seeded.batch_id)
    seeded.offer(FLOWER)
    token = reviewer.request.get("/v1/me").json()["csrf_token"]
    claim = reviewer.request.post(f"/v1/queues/{DEFAULT_QUEUE}:claim", headers={"X-CSRF-Token": token}).json()
    answer = {"lease_token": claim["lease_token"], "verdict": "generated", "action": "label", "note": "seeds"}
    headers = {"X-CSRF-Token": token, "If-Match": '"1"'}
    assert reviewer.request.post(f"/v1/tasks/{claim['task']['id']}/reviews", data=answer, headers=headers).status == 201
    address = f"{of_batch}&reviewer={actors['reviewer']}"
    colleague.goto(address)
    expect(colleague.get_by_text("Answers to tasks that you may still judge are not shown to you.")).to_be_visible()
    for page in (reviewer, lead):
        page.goto(address)
        expect(page.get_by_role("link", name=FLOWER)).to_be_visible()
    expect(reviewer.locator(".origin")).to_contain_text("answered by you")


@pytest.mark.parametrize("width", [768, 1280, 1920])
def test_nothing_runs_over_the_edge(house: House, seeded: Seeded, width: int) -> None:
    page = house.sign_in("reviewer", size={"width": width, "height": 900})
    page.goto(f"{PATH}?batch={seeded.batch_id}")
    expect(page.get_by_role("link", name=FLOWER)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

"""An explanation in other languages on the pages in Chromium: chosen, waited for, marked, and from right to left where that is right."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from tests.browser.cases import PORTRAIT
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.world import TENANT, Seeded
from worker.moderation.errors import RejectedError
from worker.moderation.explanation_jobs import JobKind
from worker.moderation.policy import DEFAULT_BANDS, Explaining
from worker.moderation.translation.languages import find_language
from worker.moderation.translation.passages import Passage
from worker.moderation.translation.verification import verify
from worker.store.explanation_jobs import claim_job, fail_job
from worker.store.explanation_queue import announce_jobs
from worker.store.models.policies import VersionState
from worker.store.policies import Draft, move_version, write_version
from worker.store.session import transaction
from worker.store.translations import Kept, keep_translation, read_said

ARABIC = {
    "The patch in region 1 is smeared, and its letters do not form words.": "الرقعة في المنطقة 1 ملطخة، وحروفها لا تشكل كلمات.",
    "The hair in region 2 is even and plausible.": "الشعر في المنطقة 2 متجانس ومقنع.",
    "In region 3 the stripes of the flag run into each other.": "في المنطقة 3 تتداخل خطوط العلم بعضها في بعض.",
    "Taken together, a part of the photograph was regenerated.": "إجمالًا، أُعيد توليد جزء من الصورة.",
    "Some parts are worth a closer look.": "بعض الأجزاء تستحق نظرة أقرب.",
    "letters on the suit": "حروف على البدلة",
    "letters without form; texture too smooth": "حروف بلا شكل؛ نسيج أملس أكثر من اللازم",
    "hair against a dark ground": "شعر أمام خلفية داكنة",
    "strands are separate and irregular, as a lens draws them": "خصل منفصلة وغير منتظمة، كما ترسمها العدسة",
    "stripes of the flag": "خطوط العلم",
    "stripes merge at the fold": "تندمج الخطوط عند الطية",
}
FAILED = "Somebody wants 3 fingers where there are 6."


@pytest.fixture
def offered(engine: Engine, seeded: Seeded) -> Seeded:
    """The policy lists languages, and the Arabic translation is there."""
    place = (seeded.batch_id, seeded.ordinal(PORTRAIT))
    language = find_language("ar")
    with transaction(engine) as session:
        draft = Draft(bands=DEFAULT_BANDS, queue="default", explaining=Explaining(languages=("ar", "de", "he")))
        version = write_version(session, TENANT, "default", draft, actor="ann").version
        move_version(session, TENANT, "default", version, VersionState.LIVE, actor="ann")
        said = read_said(session, *place)
        passages = [Passage(each.field, each.position, in_arabic(each.text)) for each in said.passages]
        kept = Kept(
            tenant_id=TENANT,
            batch_id=place[0],
            ordinal=place[1],
            revision=said.revision,
            language=language,
            original=said.passages,
            passages=passages,
            source="polyglot at translator.example",
            asked_by="test",
            detected="ar",
        )
        keep_translation(session, kept)
    return seeded


def in_arabic(text: str) -> str:
    translated = text
    for english, arabic in ARABIC.items():
        if english in text:
            assert verify(english, arabic, find_language("ar")) == ()
            translated = translated.replace(english, arabic)
    return translated


def opened(page: Page) -> None:
    page.locator("details[data-panel=languages] > summary").click()
    expect(page.locator("[data-translate]")).to_be_visible()


def choose(page: Page, language: str) -> None:
    page.get_by_label("Language", exact=True).select_option(language)
    page.locator("[data-translate]").get_by_role("button", name="Show").click()


def test_arabic_reads_from_right_to_left_beside_the_original(lead: Page, offered: Seeded) -> None:
    lead.goto(f"/review/items/{offered.item(PORTRAIT)}")
    opened(lead)
    choose(lead, "ar")
    shown = lead.get_by_role("region", name="The explanation in Arabic")
    expect(shown.get_by_text("machine translation")).to_be_visible()
    translated, original = shown.locator("dd[lang=ar]").first, shown.locator("dd.original").first
    expect(original).to_contain_text("The patch in region 1 is smeared")
    assert translated.evaluate("each => [getComputedStyle(each).direction, each.dir, getComputedStyle(each).textAlign]") == [
        "rtl",
        "rtl",
        "start",
    ]
    expect(translated.locator("bdi[dir=ltr]")).to_have_text(["1", "2", "3"])
    # The text begins at the right edge of its column.
    first_word = "each => { const r = document.createRange(); r.setStart(each.firstChild, 0); r.setEnd(each.firstChild, 3);"
    first_word += " return each.getBoundingClientRect().right - r.getBoundingClientRect().right }"
    assert translated.evaluate(first_word) < 4
    check_accessible(lead)
    shown.scroll_into_view_if_needed()
    screenshot(lead, "explanation-in-arabic")
    lead.reload()
    expect(lead.get_by_role("region", name="The explanation in Arabic")).to_be_visible()  # as it was left


def test_what_is_not_there_is_waited_for_and_a_failure_says_why(reviewer: Page, offered: Seeded, engine: Engine) -> None:
    offered.offer(PORTRAIT)
    reviewer.goto("/review/queues/default")
    expect(reviewer.locator("article.task:not([hidden])")).to_be_visible()
    task = reviewer.locator("article.task:not([hidden])")
    task.locator("details[data-panel=languages] > summary").click()
    task.get_by_label("Language", exact=True).select_option("de")
    task.locator("[data-translate]").get_by_role("button", name="Show").click()
    expect(task.get_by_text("It is being translated, and then verified…")).to_be_visible()
    with transaction(engine) as session:
        (job_id,) = announce_jobs(session, JobKind.TRANSLATION, 1)
        job = claim_job(session, job_id, "test", 60)
        assert job is not None
        fail_job(session, job, RejectedError("translation_unverified", FAILED), actor="test")
    expect(task.get_by_text(FAILED)).to_be_visible()
    expect(task.get_by_text("the verdict stands as it is")).to_be_visible()

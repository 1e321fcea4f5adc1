"""Searching a real Postgres: what is found, what is not, in which order, and what may be known of reviewers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, text

from tests.integration.queue_world import World
from tests.integration.search_world import SearchWorld, Text, said
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.release import Release, Training
from worker.moderation.review import DEFAULT_QUEUE, ReviewVerdict
from worker.moderation.search import Filter
from worker.moderation.settings import Settings
from worker.store import search
from worker.store.erasures import Erasing, erase_item
from worker.store.overrides import Override, override
from worker.store.review_answers import Answer
from worker.store.review_claims import claim_task
from worker.store.review_tasks import Claimant
from worker.store.reviews import submit_review
from worker.store.search import Place
from worker.store.session import transaction

ANN, BOB, LEAD = "key:ann", "key:bob", "key:lead"


@pytest.fixture
def world(engine: Engine) -> Iterator[SearchWorld]:
    world = World(engine)
    yield SearchWorld(world, f"search-{uuid4().hex[:8]}")
    world.retire()


def answer(
    world: SearchWorld, reviewer: str, verdict: ReviewVerdict = ReviewVerdict.GENERATED, *, lead: bool = False, undo_seconds: int = 0
) -> None:
    claimant = Claimant(tenant_id=world.tenant, reviewer=reviewer, lead=lead)
    with transaction(world.world.engine) as session:
        claim = claim_task(session, claimant, DEFAULT_QUEUE)
        assert claim is not None
        version = session.execute(text("SELECT version FROM review_tasks WHERE id = :id"), {"id": claim.task_id}).scalar_one()
        said = Answer(verdict=verdict, action=Action.NONE)
        submit_review(session, claimant, claim.task_id, claim.token, said, version=version, undo_seconds=undo_seconds)


def test_words_are_found_by_their_stems_wherever_the_model_wrote_them(world: SearchWorld) -> None:
    world.judged(
        said("The left hand has six fingers.", regions={"odd hand": "a finger too many"}),
        said("Smooth skin.", regions={"lettering that melts": None}),
        said("Nothing odd."),
    )
    assert world.ordinals("words=finger") == [0]
    assert world.ordinals("words=melting+letters") == [1]
    assert world.ordinals("words=melts+skin") == [1], "words of a reason and of the explanation count together"
    assert world.ordinals('words="six+fingers"') == [0]
    assert world.ordinals('words="fingers+six"') == []
    assert world.ordinals("words=odd+-finger") == [2]
    assert world.ordinals("words=skin+or+finger") == [1, 0]


def test_signs_that_join_words_hide_none(world: SearchWorld) -> None:
    world.judged(said("The <left hand> is melted/blurry.Its shadow_edge is at 0.85, six-fingered"))
    for words in ("left", "melted", "blurry", "shadow", "melted/blurry", "0.85", '"at 0.85"', "six-fingered", "fingers", "<left"):
        assert world.ordinals(Filter(words=words)) == [0], words
    (found,) = world.found("words=blurry+hand")
    assert found.headline.text == "The <left hand> is melted/blurry.Its shadow_edge is at 0.85, six-fingered"
    assert [piece for piece, match in found.headline.pieces() if match] == ["hand", "blurry"]


def test_what_is_recorded_and_what_the_view_says_are_the_same_words(world: SearchWorld) -> None:
    world.judged(said("One\x00 two", regions={"three": "four", "five": None}), Text(None, [("six", None)]), Text(None), said("x" * 150_000))
    differing = """
        SELECT t.ordinal, t.said, w.words FROM outcome_texts AS t
          FULL JOIN outcome_words AS w USING (batch_id, ordinal, revision)
         WHERE coalesce(w.words, '') <> to_tsvector('english', search_text(coalesce(t.said, '')))
    """
    assert world.world.rows(differing) == []
    assert world.ordinals("words=five") == [0]


@pytest.mark.parametrize("words", ["the", "of the", "!", "''", "-", "a & | ! ( ) :* <->", "\\", "%_"])
def test_words_that_say_nothing_are_refused_instead_of_finding_nothing(world: SearchWorld, words: str) -> None:
    with pytest.raises(RejectedError, match="too common, or no words") as refused:
        world.found(Filter(words=words))
    assert refused.value.code == "words_too_common"


@pytest.mark.parametrize("words", ["' OR 1=1 --", '"unclosed', "-hand", "hand:*b", "hand <-> melted", "x" * 200, "ħ̷̢̛ ١٢٣ 手"])
def test_no_words_break_the_search(world: SearchWorld, words: str) -> None:
    world.judged(said("A hand."))
    assert world.ordinals(Filter(words=words)) == []


def test_only_the_newest_outcome_of_an_image_is_found(world: SearchWorld) -> None:
    batch = world.judged(said("a wrong hand"), said("a wrong hand"))
    world.judged(said("an honest face", p=0.1), batch_id=batch, revision=2, ordinals=[1])
    assert world.ordinals("words=hand") == [0]
    assert [(found.ordinal, found.revision) for found in world.found("words=face")] == [(1, 2)]
    assert world.ordinals("verdict=generated") == [0]
    assert world.ordinals("") == [1, 0]


def test_labels_scores_releases_and_days_each_narrow_what_is_found(world: SearchWorld) -> None:
    first = world.judged(said("a", p=0.05), said("a", p=0.6), said("a", p=0.95))
    other = Release("other", Training.TRAINED, {"weights": "x"})
    second = world.judged(said("a", p=0.95), release=other)
    assert world.places("") == [(second, 0), (first, 2), (first, 1), (first, 0)]
    assert world.places("verdict=real") == [(first, 0)]
    assert world.places("route=review") == [(first, 1)]
    assert world.places("route=flag") == [(second, 0), (first, 2)]
    assert world.places("score_from=0.6&score_to=0.94") == [(first, 1)]
    assert world.places(f"release={other.id}") == [(second, 0)]
    assert world.places(f"batch={first}&route=flag") == [(first, 2)]
    today = datetime.now(UTC).date()
    assert len(world.places(Filter(day_from=today - timedelta(days=1), day_to=today + timedelta(days=1)))) == 4
    assert world.places(Filter(day_from=today + timedelta(days=2))) == []
    assert world.places(Filter(day_to=today - timedelta(days=2))) == []
    assert len(world.places(Filter(words="a thing or particular", day_to=today - timedelta(days=2)))) == 0


def test_what_was_decided_is_found_by_the_decision_that_stands(world: SearchWorld) -> None:
    batch = world.judged(*[said("a hand", p=0.95)] * 2)
    answer(world, ANN)
    answer(world, ANN)
    undecided = world.judged(said("a hand", p=0.95))
    standing = world.found(f"batch={batch}")[0].decision
    assert standing is not None
    with transaction(world.world.engine) as session:
        wanted = Override(verdict=Verdict.REAL, action=Action.NONE, reason="seen before", supersedes=standing.id)
        override(session, world.tenant, (batch, 1), wanted, lead=LEAD)
    assert world.places("decided=real") == [(batch, 1)]
    assert world.places("decided=generated") == [(batch, 0)]
    assert world.places("decided=none") == [(undecided, 0)]
    found = world.found("decided=real&words=hand")[0].decision
    assert found is not None
    assert (found.verdict, found.basis) == ("real", "lead")


def test_pages_go_on_where_the_one_before_ended(world: SearchWorld) -> None:
    for _ in range(3):
        world.judged(*[said("a hand", p=0.95)] * 3)
    for query in ("", "words=hand", "route=flag", "decided=none"):
        everything = world.places(query)
        assert len(everything) == 9
        assert everything == sorted(everything, reverse=True)
        paged: list[object] = []
        before = None
        while page := world.places(query, before=before, limit=2):
            paged += page
            before = Place(*page[-1])
        assert paged == everything


def test_another_tenant_s_images_are_never_found(world: SearchWorld) -> None:
    batch = world.judged(said("a secret hand", p=0.95))
    answer(world, ANN)
    stranger = SearchWorld(world.world, f"other-{uuid4().hex[:8]}")
    for query in ("", "words=hand", f"batch={batch}", f"batch={batch}&words=secret", "decided=generated", f"reviewer={ANN}", "route=flag"):
        assert len(world.places(query)) == 1
        assert stranger.places(query, viewer=LEAD, lead=True) == []


def test_an_answer_is_found_by_those_alone_who_may_see_it(world: SearchWorld) -> None:
    world.world.batch(1, tenant=world.tenant)
    world.world.rows("UPDATE review_queues SET slots = 2 WHERE tenant_id = :t", t=world.tenant)
    world.judged(said("a hand", p=0.6))
    answer(world, ANN)
    by_ann = f"reviewer={ANN}"
    assert world.ordinals(by_ann, viewer=BOB) == [], "who may still be asked does not learn that Ann was"
    assert world.found("", viewer=BOB)[0].reviewers == ()
    assert world.ordinals(by_ann, viewer=ANN) == [0]
    assert world.found("", viewer=ANN)[0].reviewers == (ANN,)
    assert world.ordinals(by_ann, viewer=LEAD, lead=True) == [0]
    answer(world, BOB, ReviewVerdict.REAL)
    assert world.found(by_ann, viewer=BOB)[0].reviewers == (ANN, BOB)
    assert world.ordinals(by_ann, viewer="key:reader") == [], "they differ: a lead settles it, and readers wait for that"
    answer(world, LEAD, lead=True)
    assert world.found(by_ann, viewer="key:reader")[0].reviewers == (ANN, BOB, LEAD)


def test_who_could_still_take_their_answer_back_sees_their_own_alone(world: SearchWorld) -> None:
    world.world.batch(1, tenant=world.tenant)
    world.world.rows("UPDATE review_queues SET slots = 3 WHERE tenant_id = :t", t=world.tenant)
    world.judged(said("a hand", p=0.6))
    answer(world, ANN)
    answer(world, BOB, undo_seconds=60)
    assert world.found("", viewer=BOB)[0].reviewers == (BOB,)
    assert world.ordinals(f"reviewer={ANN}", viewer=BOB) == []
    assert world.ordinals(f"reviewer={BOB}", viewer=BOB) == [0]
    world.world.rows("UPDATE reviews SET pending_until = NULL, taken_back_at = now() WHERE reviewer = :bob", bob=BOB)
    for viewer, lead in ((BOB, False), (LEAD, True)):
        assert world.ordinals(f"reviewer={BOB}", viewer=viewer, lead=lead) == [], "an answer that was taken back is none"


def test_whom_a_golden_task_measures_does_not_find_the_answer_by_searching(world: SearchWorld) -> None:
    world.judged(said("a hand", p=0.95))
    answer(world, ANN)
    made = """
        WITH made AS (
            INSERT INTO review_tasks (tenant_id, queue, batch_id, ordinal, revision, kind, route, reason, slots, due_at)
            SELECT tenant_id, queue, batch_id, ordinal, revision, 'golden', route, reason, 1, now() FROM review_tasks WHERE tenant_id = :t
            RETURNING id)
        INSERT INTO golden_tasks (task_id, reviewer, policy_version) SELECT id, :bob, 'default@1' FROM made
    """
    world.world.rows(made, t=world.tenant, bob=BOB)
    (measured,) = world.found("", viewer=BOB)
    assert (measured.decision, measured.reviewers) == (None, ())
    assert world.ordinals("decided=generated", viewer=BOB) == world.ordinals(f"reviewer={ANN}", viewer=BOB) == []
    assert world.ordinals("decided=none", viewer=BOB) == [0]
    for viewer, lead in (("key:carl", False), (BOB, True)):
        (shown,) = world.found("decided=generated", viewer=viewer, lead=lead)
        assert (shown.decision is not None, shown.reviewers) == (True, (ANN,))
        assert world.ordinals("decided=none", viewer=viewer, lead=lead) == []
    world.world.rows("UPDATE review_tasks SET state = 'done' WHERE kind = 'golden' AND tenant_id = :t", t=world.tenant)
    assert world.ordinals("decided=generated", viewer=BOB) == [0]


def test_an_erased_image_is_not_found_by_its_words_any_more(world: SearchWorld) -> None:
    batch = world.judged(said("Kim's hand", p=0.95), Text(None, [("Kim's face", None)]))
    with transaction(world.world.engine) as session:
        for ordinal in (0, 1):
            erase_item(session, world.tenant, batch, ordinal, Erasing(reason="gdpr", actor="test", upload_bucket="b"))
    assert world.ordinals("words=Kim") == []
    assert world.world.rows("SELECT FROM outcome_words WHERE batch_id = :id", id=batch) == []
    assert [(found.erased, found.source, found.headline.text) for found in world.found("")] == [(True, "", "")] * 2


def test_words_are_marked_where_they_stand_and_markup_is_only_text(world: SearchWorld) -> None:
    hostile = "\x02<script>alert(1)</script>\x03 \u202ea <mark>hand</mark> with six fingers"
    world.judged(said(hostile), said("word " * 2_000 + "hand"), said("y" * 9_000 + " hand"))
    found = world.found("words=hand+or+six")
    shown = found[-1].headline
    assert shown.text == "<script>alert(1)</script> a <mark>hand</mark> with six fingers"
    assert [shown.text[start:end] for start, end in shown.matches] == ["hand", "six"]
    for item in found:
        assert len(item.headline.text) <= 400
        assert all(0 <= start < end <= len(item.headline.text) for start, end in item.headline.matches)
    assert world.found("")[-1].headline.matches == ()


def test_a_search_that_takes_too_long_is_refused_with_a_way_out(
    world: SearchWorld, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.judged(said("a hand"))
    monkeypatch.setattr(search, "MOST_MS", 200)
    assert settings.owner_url is not None
    owner = create_engine(settings.owner_url.get_secret_value())
    with owner.begin() as blocking:
        blocking.execute(text("LOCK TABLE outcomes IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(RejectedError, match="Name a batch") as refused:
            world.found("words=hand")
    owner.dispose()
    assert refused.value.code == "search_too_broad"
    assert world.ordinals("words=hand") == [0]

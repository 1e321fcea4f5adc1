"""Schema moderation_v1 on a real Postgres: what it promises, who may read it, and the cookbook's ten queries on real rows."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from tests.integration.golden_world import always
from tests.integration.queue_world import World
from tests.integration.review_world import judged_batch
from worker.local import postgres
from worker.local.services import Services
from worker.moderation.boxes import Box
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import APPEALS_QUEUE, DEFAULT_QUEUE, JudgementKind, RegionJudgement, ReviewVerdict
from worker.moderation.settings import Settings
from worker.store.appeals import NewAppeal, open_appeal
from worker.store.golden_items import Known, put_golden
from worker.store.review_answers import Answer
from worker.store.review_claims import claim_task
from worker.store.review_tasks import Claimant
from worker.store.reviews import submit_review
from worker.store.session import transaction

COOKBOOK = (Path(__file__).parents[2] / "deploy" / "cookbook.sql").read_text()
QUERIES = dict(re.findall(r"^-- (\d+)\. .*\n((?:(?!--).+\n)+)", COOKBOOK, re.MULTILINE))
TEXT, INT, SMALL, BOOL, FLOAT, UUID_, TIME = (
    "text",
    "integer",
    "smallint",
    "boolean",
    "double precision",
    "uuid",
    "timestamp with time zone",
)
# The promise. Columns may be added at the end of a view; one that changes or goes breaks somebody's dashboard.
CONTRACT = {
    "item_current": {
        "batch_id": UUID_, "ordinal": INT, "item_id": TEXT, "tenant_id": TEXT, "custom_id": TEXT, "source_ref": TEXT, "metadata": "jsonb",
        "revision": SMALL, "outcome": TEXT, "verdict": TEXT, "p_generated": FLOAT, "scan_verdict": TEXT, "stages_disagree": BOOL,
        "path": TEXT, "explanation": TEXT, "release_id": TEXT, "training": TEXT, "image_sha256": TEXT, "width": INT, "height": INT,
        "error_code": TEXT, "policy_version": TEXT, "route": TEXT, "route_reason": TEXT, "judged_at": TIME, "erased_at": TIME,
        "jpeg_quality": SMALL, "blur": FLOAT, "rescaling": FLOAT, "border": "ARRAY", "degradation_band": TEXT,
    },
    "decisions": {
        "decision_id": UUID_, "tenant_id": TEXT, "batch_id": UUID_, "ordinal": INT, "item_id": TEXT, "revision": SMALL, "basis": TEXT,
        "verdict": TEXT, "action": TEXT, "decided_by": TEXT, "reason": TEXT, "policy_version": TEXT, "supersedes": UUID_,
        "is_current": BOOL, "model_verdict": TEXT, "p_generated": FLOAT, "release_id": TEXT, "overrides_model": BOOL, "decided_at": TIME,
        "clause": TEXT,
    },
    "flagged_images": {
        "batch_id": UUID_, "ordinal": INT, "item_id": TEXT, "tenant_id": TEXT, "custom_id": TEXT, "source_ref": TEXT, "p_generated": FLOAT,
        "verdict": TEXT, "stages_disagree": BOOL, "explanation": TEXT, "region_count": INT, "release_id": TEXT, "training": TEXT,
        "policy_version": TEXT, "route_reason": TEXT, "judged_at": TIME, "decision_id": UUID_, "decided_verdict": TEXT,
        "decided_action": TEXT, "decided_at": TIME, "degradation_band": TEXT,
    },
    "region_current": {
        "batch_id": UUID_, "ordinal": INT, "item_id": TEXT, "tenant_id": TEXT, "revision": SMALL, "position": SMALL, "x0": INT, "y0": INT,
        "x1": INT, "y1": INT, "reason": TEXT, "finding": TEXT, "crop_sha256": TEXT, "scale": FLOAT, "accepted": INT, "rejected": INT,
        "moved": INT,
    },
    "batch_progress": {
        "batch_id": UUID_, "tenant_id": TEXT, "source": TEXT, "policy": TEXT, "state": TEXT, "pause_reason": TEXT, "priority": SMALL,
        "revision": SMALL, "accepted": INT, "rejected": INT, "verdicts": INT, "flagged": INT, "unreadable": INT, "failed": INT,
        "cancelled": INT, "pending": INT, "created_at": TIME, "received_at": TIME, "finished_at": TIME,
    },
    "review_live": {
        "task_id": "bigint", "tenant_id": TEXT, "queue": TEXT, "kind": TEXT, "state": TEXT, "state_reason": TEXT, "batch_id": UUID_,
        "ordinal": INT, "item_id": TEXT, "revision": SMALL, "route": TEXT, "reason": TEXT, "priority": SMALL, "slots": INT, "answers": INT,
        "claims": INT, "assigned_to": TEXT, "created_at": TIME, "due_at": TIME, "overdue": BOOL,
    },
    "golden_answers": {
        "task_id": "bigint", "tenant_id": TEXT, "queue": TEXT, "batch_id": UUID_, "ordinal": INT, "item_id": TEXT, "revision": SMALL,
        "reviewer": TEXT, "expected": TEXT, "answered": TEXT, "correct": BOOL, "box_iou": FLOAT, "seconds": FLOAT, "answered_at": TIME,
    },
    "attention_maps": {
        "map_id": UUID_, "tenant_id": TEXT, "batch_id": UUID_, "ordinal": INT, "item_id": TEXT, "revision": SMALL, "verdict": TEXT,
        "release_id": TEXT, "training": TEXT, "method": TEXT, "sampled": BOOL, "logprob_gap": FLOAT, "mass_in_regions": FLOAT,
        "mass_in_random": FLOAT, "attention_ratio": FLOAT, "pointing_game": BOOL, "seconds": FLOAT, "drawn_at": TIME,
    },
    "faithfulness": {
        "tenant_id": TEXT, "batch_id": UUID_, "ordinal": INT, "item_id": TEXT, "revision": SMALL, "verdict": TEXT, "p_generated": FLOAT,
        "release": TEXT, "score_drop": FLOAT, "control_drop": FLOAT, "beyond_control": FLOAT, "requests": INT, "prompt_tokens": INT,
        "completion_tokens": INT, "seconds": FLOAT, "error_code": TEXT, "created_at": TIME,
    },
    "events": {
        "position": "bigint", "event_id": TEXT, "tenant_id": TEXT, "type": TEXT, "data": "jsonb", "occurred_at": TIME,
    },
    "coverage_current": {
        "batch_id": UUID_, "ordinal": INT, "item_id": TEXT, "tenant_id": TEXT, "revision": SMALL, "width": INT, "height": INT,
        "sent_width": INT, "sent_height": INT, "resolution_least": FLOAT, "resolution_mean": FLOAT, "share_half": FLOAT,
        "share_native": FLOAT,
    },
    "coverage_areas": {
        "batch_id": UUID_, "ordinal": INT, "item_id": TEXT, "tenant_id": TEXT, "revision": SMALL, "position": SMALL, "x0": INT, "y0": INT,
        "x1": INT, "y1": INT, "resolution": FLOAT,
    },
    "model_quality_daily": {
        "day": "date", "tenant_id": TEXT, "release_id": TEXT, "policy_version": TEXT, "outcomes": INT, "verdicts": INT, "unreadable": INT,
        "failed": INT, "flagged": INT, "to_review": INT, "stages_disagree": INT, "mean_p_generated": FLOAT, "decided": INT,
        "overridden": INT, "override_rate": FLOAT,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def batch_id(engine: Engine) -> UUID:
    """Four images, one flagged and one reviewed, the flagged one's decision overturned on appeal; a box judged; a reviewer measured."""
    world = World(engine)
    batch_id = judged_batch(world, {0: 0.05, 1: 0.6, 2: 0.95, 3: 0.9}, tenant="analysed")

    def answer(reviewer: str, queue: str, verdict: ReviewVerdict) -> UUID | None:
        who = Claimant(tenant_id="analysed", reviewer=reviewer)
        with transaction(engine) as session:
            claim = claim_task(session, who, queue)
            assert claim is not None
            judged = (RegionJudgement(kind=JudgementKind.ACCEPT, position=1),)
            said = Answer(verdict=verdict, action=Action.LABEL, note="looked", judgements=judged)
            return submit_review(session, who, claim.task_id, claim.token, said, version=claim.version).decision_id

    first = answer("ann", DEFAULT_QUEUE, ReviewVerdict.GENERATED)
    assert first is not None
    with transaction(engine) as session:
        open_appeal(session, "analysed", NewAppeal(decision_id=first, statement="mine"), actor="app")
    answer("bob", APPEALS_QUEUE, ReviewVerdict.REAL)
    world.rows("UPDATE review_queues SET golden_share = 0.5 WHERE tenant_id = 'analysed'")
    with transaction(engine) as session:
        put_golden(session, "analysed", (batch_id, 2), Known(verdict=Verdict.GENERATED, boxes=(Box(1, 2, 30, 40),)), actor="keeper")
    with pytest.MonkeyPatch.context() as patch:
        always(patch)
        answer("dora", DEFAULT_QUEUE, ReviewVerdict.GENERATED)
    return batch_id


@pytest.fixture
def analyst(services: Services, settings: Settings, batch_id: UUID) -> Iterator[Connection]:
    """A connection with the analyst's rights and no more."""
    assert settings.database_url is not None
    database = make_url(settings.database_url.get_secret_value()).database
    engine = create_engine(postgres.url(services.layout, postgres.SUPERUSER, str(database)))
    with engine.connect() as connection:
        connection.execute(text("SET ROLE zoomin_analyst"))
        yield connection
    engine.dispose()


def test_the_views_have_the_columns_that_were_promised_in_their_order(analyst: Connection) -> None:
    sql = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'moderation_v1' ORDER BY table_name, ordinal_position"
    )
    found: dict[str, dict[str, str]] = {}
    for row in analyst.execute(text(sql)):
        found.setdefault(row.table_name, {})[row.column_name] = row.data_type
    assert found == CONTRACT
    assert {name: list(columns) for name, columns in found.items()} == {name: list(columns) for name, columns in CONTRACT.items()}


def test_every_view_and_column_says_what_it_is(analyst: Connection) -> None:
    sql = (
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'moderation_v1'::regnamespace"
        " AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"
    )
    assert analyst.execute(text(sql)).all() == []


@pytest.mark.parametrize("table", ["items", "outcomes", "audit_events", "review_tasks", "decisions", "appeals"])
def test_an_analyst_sees_no_table(analyst: Connection, table: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        analyst.exec_driver_sql(f"TABLE public.{table}")


@pytest.mark.parametrize("role", ["zoomin_analyst", "zoomin_app"])
def test_no_view_is_a_way_to_change_anything(analyst: Connection, role: str) -> None:
    sql = (
        "SELECT DISTINCT privilege_type FROM information_schema.role_table_grants WHERE grantee = :role AND table_schema = 'moderation_v1'"
    )
    analyst.execute(text("RESET ROLE"))
    assert analyst.execute(text(sql), {"role": role}).scalars().all() == ["SELECT"]


def test_an_item_shows_its_newest_outcome_and_its_live_route(analyst: Connection, batch_id: UUID) -> None:
    rows = analyst.execute(text("SELECT * FROM moderation_v1.item_current WHERE batch_id = :id ORDER BY ordinal"), {"id": batch_id}).all()
    assert [(row.ordinal, row.outcome, row.route, row.policy_version) for row in rows] == [
        (0, "verdict", "pass", "default@1"),
        (1, "verdict", "review", "default@1"),
        (2, "verdict", "flag", "default@1"),
        (3, "verdict", "flag", "default@1"),
    ]
    assert rows[0].item_id == f"item_{batch_id.hex}_0"
    assert rows[0].source_ref == "s3://b/k0"


def test_what_was_overturned_is_told_by_decisions_and_by_quality(analyst: Connection) -> None:
    decisions = analyst.execute(text("SELECT * FROM moderation_v1.decisions WHERE tenant_id = 'analysed' ORDER BY decided_at")).all()
    assert [(d.basis, d.is_current, d.overrides_model) for d in decisions] == [("review", False, False), ("appeal", True, True)]
    quality = analyst.execute(text("SELECT * FROM moderation_v1.model_quality_daily WHERE tenant_id = 'analysed'")).one()
    assert (quality.outcomes, quality.flagged, quality.to_review, quality.decided, quality.overridden) == (4, 2, 1, 1, 1)
    assert quality.override_rate == 1.0


def test_open_work_is_what_is_neither_done_nor_withdrawn(analyst: Connection) -> None:
    tasks = analyst.execute(text("SELECT * FROM moderation_v1.review_live WHERE tenant_id = 'analysed' ORDER BY ordinal")).all()
    assert [(task.ordinal, task.route, task.answers, task.overdue) for task in tasks] == [(1, "review", 0, False), (3, "flag", 0, False)]


def test_the_cookbook_answers_its_questions_and_follows_events() -> None:
    assert list(QUERIES) == [str(number) for number in range(1, 14)]


def test_a_golden_answer_is_measured_and_is_neither_open_work_nor_a_judgement_of_the_model(analyst: Connection, batch_id: UUID) -> None:
    (answer,) = analyst.execute(text("SELECT * FROM moderation_v1.golden_answers WHERE batch_id = :id"), {"id": batch_id})
    assert (answer.reviewer, answer.item_id, answer.correct, answer.box_iou) == ("dora", f"item_{batch_id.hex}_2", True, 1.0)
    accepted = "SELECT accepted FROM moderation_v1.region_current WHERE batch_id = :id AND ordinal = 2"
    assert analyst.execute(text(accepted), {"id": batch_id}).scalar_one() == 2


@pytest.mark.parametrize("number", QUERIES)
def test_every_query_of_the_cookbook_runs_and_finds_something(analyst: Connection, number: str) -> None:
    assert analyst.exec_driver_sql(QUERIES[number]).all()

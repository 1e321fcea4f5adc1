"""Statements on their way to a transparency database that answers as documented, fails, hangs up, and is asked by several at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.integration.statement_world import Database, Desk, towards, transparency_database
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.settings import Settings
from worker.statements.receiver import Receiver
from worker.statements.sender import Sender, run_sender, send_due
from worker.store.erasures import Erasing, erase_item
from worker.store.session import transaction
from worker.store.statement_queue import lease_due, record_submitted
from worker.store.statements_of_reasons import withdraw_statement


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    desk = Desk(engine)
    yield desk
    desk.clear()


@pytest.fixture
def database() -> Iterator[Database]:
    with transparency_database() as database:
        yield database


@pytest.fixture
def reach(settings: Settings, database: Database) -> Settings:
    return towards(settings, database)


def test_a_statement_is_sent_once_its_hold_is_over_and_what_is_there_is_what_was_signed(
    desk: Desk, engine: Engine, database: Database, reach: Settings
) -> None:
    early, due = desk.decided(2)
    held, sent = desk.signed(early, timedelta(hours=1)), desk.signed(due)
    assert send_due(reach, engine) == 1
    assert (desk.row(held).state, desk.row(sent).state) == ("held", "submitted")
    there = database.there[sent.hex]
    assert there["uuid"] == desk.row(sent).receiver_id
    assert {field: value for field, value in there.items() if field != "uuid"} == desk.row(sent).payload
    assert desk.audited(sent) == ["statement.drafted", "statement.signed", "statement.submitted"]
    assert send_due(reach, engine) == 0


def test_statements_go_in_groups_of_a_hundred(desk: Desk, engine: Engine, database: Database, reach: Settings) -> None:
    desk.many(101)
    assert send_due(reach, engine) == 101
    assert [len(call) for call in database.calls] == [100, 1]
    assert set(desk.states()) == {"submitted"}


def test_a_bad_statement_is_refused_and_holds_nobody_up(desk: Desk, engine: Engine, database: Database, reach: Settings) -> None:
    good, bad, fine = desk.many(3)
    database.refused = {bad.hex}
    send_due(reach, engine)
    assert [desk.row(statement).state for statement in (good, bad, fine)] == ["submitted", "refused", "submitted"]
    assert desk.row(bad).receiver_detail == {"decision_facts": ["The selected decision facts are invalid."]}
    assert set(database.there) == {good.hex, fine.hex}
    assert desk.audited(bad)[-1] == "statement.refused"
    assert desk.draft(desk.row(bad).decision_id) != bad  # it makes room for a better one


def test_what_was_taken_while_the_answer_was_lost_is_found_there_and_not_sent_twice(
    desk: Desk, engine: Engine, database: Database, reach: Settings
) -> None:
    lost, other = desk.many(2)
    desk.world.rows("UPDATE statements_of_reasons SET next_attempt_at = now() + interval '1 day' WHERE id = :id", id=other)
    database.failures = [0]
    send_due(reach, engine)
    assert (desk.row(lost).state, desk.row(lost).uncertain) == ("held", True)
    desk.hurry()
    send_due(reach, engine)
    assert [desk.row(statement).state for statement in (lost, other)] == ["submitted", "submitted"]
    assert (desk.row(lost).receiver_code, desk.row(other).receiver_code) == ("known", "http_201")
    assert len(database.there) == 2


def test_a_puid_that_another_request_holds_at_the_moment_does_not_count_as_submitted(
    desk: Desk, engine: Engine, database: Database, reach: Settings
) -> None:
    (statement,) = desk.many(1)
    database.under_way = {statement.hex}
    send_due(reach, engine)
    assert (desk.row(statement).state, desk.row(statement).receiver_code) == ("held", "known_or_under_way")
    database.under_way.clear()
    desk.hurry()
    send_due(reach, engine)
    assert desk.row(statement).state == "submitted"


@pytest.mark.parametrize(("status", "uncertain"), [(429, False), (500, True), (503, True)])
def test_a_receiver_that_cannot_is_left_alone_for_a_while(
    desk: Desk,
    engine: Engine,
    database: Database,
    reach: Settings,
    status: int,
    uncertain: bool,  # noqa: FBT001  a row's cell
) -> None:
    statements = desk.many(101)
    database.failures = [status]
    receiver = Receiver(reach)
    turn = Sender(engine, receiver).turn()
    receiver.close()
    assert turn.statements == 100
    assert turn.pause >= 7
    first = desk.row(statements[0])
    assert (first.state, first.receiver_code, first.uncertain, first.lease_token) == ("held", f"http_{status}", uncertain, None)
    assert desk.world.value("SELECT next_attempt_at > now() + interval '5 s' FROM statements_of_reasons WHERE id = :id", id=statements[0])
    desk.hurry()
    send_due(reach, engine)
    assert set(desk.states()) == {"submitted"}


@pytest.mark.parametrize("wrong", ["token", "address"])
def test_a_refused_token_or_a_wrong_address_stops_the_sender_and_says_so(
    desk: Desk, engine: Engine, database: Database, reach: Settings, wrong: str
) -> None:
    (statement,) = desk.many(1)
    change = {"dsa_token": SecretStr("another")} if wrong == "token" else {"dsa_url": database.url.replace("/api/v1", "/ap1")}
    with pytest.raises(MisconfiguredError, match=r"answered 40[14].*Nothing was sent"):
        run_sender(reach.model_copy(update=change), threading.Event())
    row = desk.row(statement)
    assert (row.state, row.receiver_code, row.uncertain) == ("held", "refused_us", False)
    assert send_due(reach, engine) == 0  # whoever starts us again does not hammer
    desk.hurry()
    assert send_due(reach, engine) == 1


def test_without_an_address_or_a_token_nothing_runs(settings: Settings, engine: Engine) -> None:
    with pytest.raises(MisconfiguredError, match="ZOOMIN_DSA_URL, ZOOMIN_DSA_TOKEN"):
        send_due(settings, engine)


def test_nobody_there_is_not_uncertain(desk: Desk, engine: Engine, reach: Settings) -> None:
    (statement,) = desk.many(1)
    send_due(reach.model_copy(update={"dsa_url": "http://127.0.0.1:9/api/v1"}), engine)
    row = desk.row(statement)
    assert (row.state, row.uncertain, row.receiver_code) == ("held", False, "ConnectError")


def test_a_superseded_decision_withdraws_what_was_not_sent(desk: Desk, engine: Engine, database: Database, reach: Settings) -> None:
    drafted, held = desk.decided(2)
    statements = desk.draft(drafted), desk.signed(held, timedelta(hours=1))
    desk.supersede(drafted)
    desk.supersede(held)
    assert [desk.row(statement).state for statement in statements] == ["withdrawn", "withdrawn"]
    assert desk.audited(statements[1])[-1] == "statement.withdrawn"
    send_due(reach, engine)
    assert database.calls == []


@pytest.mark.parametrize(("failure", "end"), [(0, "submitted"), (500, "withdrawn")])
def test_one_that_may_have_arrived_is_asked_for_before_it_is_withdrawn(
    desk: Desk, engine: Engine, database: Database, reach: Settings, failure: int, end: str
) -> None:
    (decision,) = desk.decided(1)
    statement = desk.signed(decision)
    database.failures = [failure]
    send_due(reach, engine)
    with transaction(engine) as session, pytest.raises(RejectedError, match="may have arrived"):
        withdraw_statement(session, statement, tenant_id=desk.tenant, actor="test")
    desk.supersede(decision)
    assert desk.row(statement).state == "held"
    desk.hurry()
    send_due(reach, engine)
    assert desk.row(statement).state == end
    assert len(database.calls) == (1 if failure == 0 else 0)  # never offered again


@pytest.mark.parametrize(("failure", "end", "code"), [(0, "submitted", "known"), (500, "withdrawn", "item_erased")])
def test_one_about_an_erased_image_is_asked_for_and_never_offered_again(
    desk: Desk, engine: Engine, database: Database, reach: Settings, failure: int, end: str, code: str
) -> None:
    (decision,) = desk.decided(1)
    statement = desk.signed(decision)
    database.failures = [failure]
    send_due(reach, engine)
    place = desk.world.rows("SELECT batch_id, ordinal FROM decisions WHERE id = :id", id=decision)[0]
    with transaction(engine) as session:
        erase_item(session, desk.tenant, place.batch_id, place.ordinal, Erasing("test", "requested", reach.upload_bucket))
    desk.hurry()
    send_due(reach, engine)
    assert (desk.row(statement).state, desk.row(statement).receiver_code) == (end, code)
    assert len(database.calls) == (1 if failure == 0 else 0)
    assert desk.audited(statement)[-1] == f"statement.{end}"
    said = "altered by artificial intelligence" in str(desk.row(statement).payload)
    assert said is (end == "submitted"), "what was published stays as it is"


def test_two_senders_never_send_the_same_statement(desk: Desk, engine: Engine, database: Database, reach: Settings) -> None:
    desk.many(250)
    database.seconds = 0.1
    with ThreadPoolExecutor(3) as pool:
        sent = list(pool.map(lambda _: send_due(reach, engine), range(3)))
    assert sum(sent) == 250
    puids = [puid for call in database.calls for puid in call]
    assert len(puids) == len(set(puids)) == 250
    assert set(desk.states()) == {"submitted"}


def test_a_sender_that_lost_its_lease_records_nothing(desk: Desk, engine: Engine, database: Database, reach: Settings) -> None:
    (statement,) = desk.many(1)
    with transaction(engine) as session:
        (leased,) = lease_due(session, limit=1, seconds=60)
    assert send_due(reach, engine) == 0
    desk.hurry()  # the lease has run out
    assert send_due(reach, engine) == 1
    with transaction(engine) as session:
        assert not record_submitted(session, leased, code="late", receiver_id=str(uuid4()))
    assert desk.row(statement).receiver_code == "http_201"
    assert len(database.there) == 1

from pathlib import Path

import pytest

from worker.lab.annotation.responses import Said, opened_responses
from worker.lab.annotation.spending import BudgetError, Prices, Purse
from worker.moderation.errors import MisconfiguredError, RejectedError

PURSE = Purse(prices=Prices(prompt=2.5, completion=10.0), budget=0.05, most_prompt_tokens=4000, most_completion_tokens=1000)


def reply(number: int, key: str, cost: float) -> Said:
    return Said(number=number, key=key, text="{}", finish_reason="stop", prompt_tokens=10, completion_tokens=5, cost=cost)


def test_replies_and_what_they_cost_outlive_the_run(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    with opened_responses(path) as responses:
        responses.keep(reply(responses.ask("a", 0.02), "a", 0.01))
        responses.lose(responses.ask("b", 0.02), "endpoint_busy", 0.0)
    with opened_responses(path) as responses:
        assert responses.known("a") is not None
        assert responses.known("b") is None
        assert (responses.spent, responses.prompt_tokens, responses.completion_tokens) == (0.01, 10, 5)


def test_a_request_whose_end_nobody_saw_counts_at_its_most(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    with opened_responses(path) as responses:
        responses.ask("a", 0.02)
        assert (responses.spent, responses.committed) == (0.0, 0.02)
    with opened_responses(path) as responses:
        assert (responses.spent, responses.committed) == (0.02, 0.02)
        responses.keep(reply(responses.ask("a", 0.02), "a", 0.01))
    with opened_responses(path) as responses:
        assert responses.spent == pytest.approx(0.03)


def test_a_line_that_a_kill_cut_off_is_dropped_and_counts_at_its_most(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    with opened_responses(path) as responses:
        responses.keep(reply(responses.ask("a", 0.02), "a", 0.01))
        responses.keep(reply(responses.ask("b", 0.02), "b", 0.01))
    path.write_bytes(path.read_bytes()[:-20])
    with opened_responses(path) as responses:
        assert responses.known("b") is None
        assert responses.spent == pytest.approx(0.03)
        responses.keep(reply(responses.ask("b", 0.02), "b", 0.01))
    with opened_responses(path) as responses:
        assert responses.known("b") is not None


def test_two_runs_do_not_share_a_file_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    with opened_responses(path), pytest.raises(RejectedError) as error, opened_responses(path):
        pass
    assert error.value.code == "responses_in_use"


def test_another_file_is_not_taken_for_one_of_replies(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"file": "a.jpg"}\n')
    with pytest.raises(RejectedError) as error, opened_responses(path):
        pass
    assert error.value.code == "responses_unreadable"
    assert path.read_text() == '{"file": "a.jpg"}\n'


def test_nothing_is_asked_that_might_break_the_budget(tmp_path: Path) -> None:
    with opened_responses(tmp_path / "responses.jsonl") as responses:
        PURSE.check(responses)
        responses.ask("a", PURSE.most)
        PURSE.check(responses)  # 0.02 are out, 0.02 more fit
        responses.ask("b", PURSE.most)
        with pytest.raises(BudgetError, match=r"larger --budget"):
            PURSE.check(responses)


def test_a_budget_of_nothing_asks_what_costs_nothing_and_no_more(tmp_path: Path) -> None:
    with opened_responses(tmp_path / "responses.jsonl") as responses:
        with pytest.raises(BudgetError):
            Purse(prices=PURSE.prices, budget=0.0, most_prompt_tokens=1, most_completion_tokens=1).check(responses)
        Purse(prices=Prices(), budget=0.0, most_prompt_tokens=1, most_completion_tokens=1).check(responses)


def test_tokens_that_nobody_counted_cost_the_most() -> None:
    assert PURSE.bill(1000, 100) == pytest.approx(0.0035)
    assert PURSE.bill(None, 100) == PURSE.bill(1000, None) == PURSE.most == pytest.approx(0.02)


@pytest.mark.parametrize(("prompt", "completion"), [(4001, 5), (5, 1001), (10**12, 10**12)])
def test_a_bill_beyond_what_was_reckoned_with_ends_the_run(prompt: int, completion: int) -> None:
    PURSE.audit(4000, 1000)
    PURSE.audit(None, None)
    with pytest.raises(MisconfiguredError) as error:
        PURSE.audit(prompt, completion)
    assert error.value.code == "endpoint_overbills"

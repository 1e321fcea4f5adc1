"""The committed documents are those of the code; the table of problems holds together."""

import json
import re
from typing import Any

import pytest

from api.documents import FOLDER, documents
from api.errors import problem_of
from api.problems import KINDS, RENAMED, TABLE
from worker.moderation.errors import FencedError, MisconfiguredError, OutageError, RejectedError, ZoomInError

OPENAPI: dict[str, Any] = json.loads((FOLDER / "openapi.json").read_text("utf-8"))
EXAMPLES = OPENAPI["components"]["examples"]
OPERATIONS = [(path, method, operation) for path, methods in OPENAPI["paths"].items() for method, operation in methods.items()]
OPEN = {"/healthz", "/readyz", "/v1/sign-in", "/v1/sign-in/callback"}


@pytest.mark.parametrize("name", ["openapi.json", "PROBLEMS.md"])
def test_a_committed_document_is_current(name: str) -> None:
    assert documents()[FOLDER / name] == (FOLDER / name).read_text("utf-8"), "run `python -m api.documents`"


def test_every_code_is_there_once_and_every_other_name_leads_to_one() -> None:
    assert len(KINDS) == len(TABLE)
    assert set(RENAMED.values()) <= set(KINDS)
    assert not set(RENAMED) & set(KINDS)
    assert all(re.fullmatch("[a-z_]+", code) for code in KINDS)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RejectedError("batch_missing", "psql: secret"), "not_found"),
        (RejectedError("unheard_of", "psql: secret"), "request_rejected"),
        (OutageError("database_unavailable", "psql: secret"), "database_unavailable"),
        (OutageError("unheard_of", "psql: secret"), "temporarily_unavailable"),
        (MisconfiguredError("unheard_of", "psql: secret"), "misconfigured"),
        (FencedError("lease_lost", "psql: secret"), "internal_error"),
        (ZoomInError("unheard_of", "psql: secret"), "internal_error"),
        (ValueError("psql: secret"), "internal_error"),
        (KeyError("psql: secret"), "internal_error"),
    ],
)
def test_what_is_not_in_the_table_becomes_a_generic_kind_and_keeps_its_words_to_itself(error: Exception, code: str) -> None:
    problem = problem_of(error)
    assert problem.kind.code == code
    assert "secret" not in problem.detail


def test_a_message_about_the_callers_own_input_is_passed_on_without_hidden_characters() -> None:
    assert problem_of(RejectedError("object_missing", "s3://b/\u202ek\x1b[31m is not there.")).detail == "s3://b/k[31m is not there."


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids) > 15
    assert all(operation["description"] for _, _, operation in OPERATIONS)


def test_every_operation_but_health_names_the_key_and_the_problems_of_a_bad_one() -> None:
    for path, _, operation in OPERATIONS:
        keyed = path not in OPEN
        assert ("security" in operation) is keyed, path
        assert ({"401", "403", "429"} <= set(operation["responses"])) is keyed, path


def test_every_error_response_is_a_problem_with_an_example() -> None:
    for path, _, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            if int(status) >= 400 and path != "/readyz":
                content = response["content"]["application/problem+json"]
                assert content["schema"] == {"$ref": "#/components/schemas/ProblemBody"}
                named = [EXAMPLES[example["$ref"].rpartition("/")[2]] for example in content["examples"].values()]
                assert {example["value"]["status"] for example in named} == {int(status)}


def test_every_link_leads_to_an_operation_and_gives_it_what_it_needs() -> None:
    by_id = {operation["operationId"]: (path, operation) for path, _, operation in OPERATIONS}
    links = [
        link
        for _, _, operation in OPERATIONS
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(links) > 10
    for link in links:
        path, _ = by_id[link["operationId"]]
        assert set(re.findall(r"{(\w+)}", path)) == set(link["parameters"]) - {"header.If-Match"}

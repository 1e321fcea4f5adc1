"""`zoomin dataset annotate` as a user runs it, against scripted models behind a real port: killed, starved, misled."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.integration.scripted_models import EXPLAINER, GROUNDER, ScriptedModels, serving
from tests.unit.cli.invoke import Ended
from tests.unit.lab.annotating import draw
from worker.cli.app import app
from worker.lab.labels import check_labels, read_labels
from worker.moderation.outcomes import Verdict

PRICES = ("--price-in", "2.5", "--price-out", "10")  # an explanation costs 0.0035, and at most 0.017
COST = 0.0035
OVERBILLED = json.dumps({"choices": [{"message": {"content": "{}"}}], "usage": {"prompt_tokens": 10**6, "completion_tokens": 1}})


class Bench:
    """A folder of pictures, scripted models, and the command."""

    def __init__(self, folder: Path, models: ScriptedModels, url: str) -> None:
        self.folder, self.models, self.url = folder, models, url
        self.pictures, self.out = folder / "pictures", folder / "out"
        draw(self.pictures, ["a.png", "b.png", "c.png"])

    def arguments(self, *more: str) -> list[str]:
        at = ("--explainer", self.url, "--explainer-model", EXPLAINER, "--grounder", f"openai:{GROUNDER}@{self.url}")
        return ["dataset", "annotate", str(self.pictures), "--out", str(self.out), "--label", "generated", *at, *more]

    def run(self, *more: str) -> Ended:
        """In this process, which has imported everything by the second time."""
        environment = {"ZOOMIN_HOME": str(self.folder), "ZOOMIN_EXPLAINER_API_KEY": "sk-hush"}
        ended = CliRunner().invoke(app, self.arguments(*more), env=environment)
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    def summary(self, *more: str, code: int = 0) -> Any:
        ended = self.run("--json", *more)
        assert ended.code == code, ended.err
        return json.loads(ended.out)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    models = ScriptedModels()
    with serving(models) as url:
        yield Bench(tmp_path, models, url)


def test_a_folder_becomes_data_with_every_clues_fate_and_the_cost(bench: Bench) -> None:
    (bench.pictures / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    summary = bench.summary(*PRICES, "--budget", "1", code=3)  # one picture cannot be read
    assert summary["pictures"] == {"all": 4, "annotated": 3, "no_clue_left": 0, "repeated": 0, "unreadable": 1, "not_reached": 0}
    assert (summary["clues"]["all"], summary["clues"]["kept"], summary["clues"]["not_seconded"]) == (9, 6, 3)
    assert summary["cost"]["spent"] == pytest.approx(6 * COST)
    labels = read_labels(bench.out / "labels.jsonl")
    check_labels(labels, bench.out)
    assert [(label.label, len(label.regions)) for label in labels] == [(Verdict.GENERATED, 2)] * 3
    again = bench.run(*PRICES, "--budget", "1")
    assert bench.models.asked == 6  # nothing is asked twice
    assert "torn.png" in again.err
    assert "6 of 9 clues are kept" in again.out
    assert "rejected, not_seconded: 3" in again.out
    written = "".join(path.read_text() for path in bench.out.rglob("*") if path.is_file() and path.suffix in {".jsonl", ".json", ".md"})
    assert "sk-hush" not in written + again.out + again.err


def test_a_killed_run_goes_on_and_pays_nothing_twice(bench: Bench) -> None:
    reached = threading.Event()
    never = threading.Event()

    def hold_the_fourth(body: Any) -> None:
        if body["model"] == EXPLAINER and bench.models.asked == 4:
            reached.set()
            never.wait(60)

    bench.models.before = hold_the_fourth
    environment = {**os.environ, "ZOOMIN_HOME": str(bench.folder)}
    command = [sys.executable, "-m", "worker.cli", *bench.arguments(*PRICES, "--at-once", "1")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        assert reached.wait(60)
        child.send_signal(signal.SIGKILL)
    never.set()
    bench.models.before = lambda _: None
    summary = bench.summary(*PRICES)
    assert summary["pictures"]["annotated"] == 3
    assert bench.models.asked == 7  # six explanations, and the one whose reply nobody saw
    assert max(bench.models.answered.values()) <= 2
    assert summary["requests"]["cached"] == 3
    assert summary["cost"]["spent"] == pytest.approx(6 * COST + 0.017)  # that one counts at its most


def test_a_budget_ends_the_run_cleanly_and_a_larger_one_goes_on(bench: Bench) -> None:
    short = bench.summary(*PRICES, "--budget", "0.025", "--at-once", "1", code=4)
    assert short["ended_early"]["code"] == "budget_reached"
    assert short["pictures"]["not_reached"] > 0
    assert short["cost"]["spent"] <= 0.025
    assert bench.summary(*PRICES, "--budget", "1")["pictures"]["annotated"] == 3
    assert bench.models.asked == 6
    nothing = bench.run(*PRICES, "--budget", "0", "--responses", str(bench.folder / "other.jsonl"))
    assert nothing.code == 4
    assert "budget of 0" in nothing.err
    assert bench.models.asked == 6


def test_other_thresholds_cost_nothing_and_want_a_folder_of_their_own(bench: Bench) -> None:
    bench.summary()
    other = bench.run("--least-iou", "0.99")
    assert (other.code, "out_of_another_build" in other.err) == (2, True)
    first, bench.out = bench.out, bench.folder / "strict"
    strict = bench.summary("--least-iou", "0.99", "--responses", str(first / ".build" / "responses.jsonl"))
    assert (strict["clues"]["kept"], strict["clues"]["groundings_differ"]) == (0, 6)
    assert bench.models.asked == 6


@pytest.mark.parametrize(
    ("answer", "code", "what"),
    [
        ((401, {}, ""), 2, "ZOOMIN_EXPLAINER_API_KEY"),
        ((429, {"retry-after": "7200"}, ""), 4, "asks to wait 7,200 s"),
        ((200, {}, OVERBILLED), 2, "endpoint_overbills"),
    ],
)  # fmt: skip
def test_an_endpoint_that_cannot_be_used_is_told_with_what_to_do(
    bench: Bench, answer: tuple[int, dict[str, str], str], code: int, what: str
) -> None:
    bench.models.before = lambda body: answer if body["model"] == EXPLAINER else None
    ended = bench.run()
    assert (ended.code, what in ended.err) == (code, True), ended.err


def test_wrong_input_is_refused_before_anything_is_asked(bench: Bench) -> None:
    (bench.out).mkdir()
    (bench.out / "something.txt").write_text("else")
    assert "out_taken" in bench.run().err
    bench.out = bench.folder / "fresh"
    assert "prices_missing" in bench.run("--budget", "5").err
    bench.pictures = bench.folder / "empty"
    bench.pictures.mkdir()
    assert "folder_empty" in bench.run().err
    assert bench.models.asked == 0

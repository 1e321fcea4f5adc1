"""Every run of an evaluation, judged. What an interrupted evaluation has judged already is taken from its records."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from worker.lab.evaluation.examiner import Examiner
from worker.lab.evaluation.faithfulness import to_test
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.picture_set import sample_by_source
from worker.lab.evaluation.records import Records
from worker.lab.evaluation.runs import CONTROLS, MAIN, ROBUSTNESS, TESTED, Run
from worker.lab.labels import Label
from worker.moderation.release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which runs there are beside the main one.

    `robustness` is about how many pictures go through the `grid`, `faithfulness` of how many the explanation is tested; 0 leaves it out.
    """

    controls: bool = True
    robustness: int = 200
    grid: tuple[Run, ...] = ROBUSTNESS
    faithfulness: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """What goes on, and how far it is."""

    doing: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgements:
    """What was said of the pictures. `controls` and `robustness` map a run's name to its pictures, in the main run's order."""

    release: Release
    main: tuple[Judged, ...]
    controls: Mapping[str, tuple[Judged, ...]] = field(default_factory=dict)
    robustness: Mapping[str, tuple[Judged, ...]] = field(default_factory=dict)
    tested: tuple[Judged, ...] = ()
    images_per_second: float | None = None  # of the main run, as far as it was judged now


Report = Callable[[EvaluationProgress], None]


def judge_runs(examiner: Examiner, labels: Sequence[Label], plan: Plan, records: Records, report: Report) -> Judgements:
    """All runs of `plan`. Raises what `Examiner.judge` does; records keep what is judged until then."""
    started = time.monotonic()
    new = sum(records.known(MAIN.name, label.file) is None for label in labels)
    main = _judge(examiner, labels, MAIN, records, report)
    seconds = time.monotonic() - started
    part = sample_by_source(labels, plan.robustness) if plan.robustness else ()
    return Judgements(
        release=examiner.release,
        main=main,
        controls={run.name: _judge(examiner, labels, run, records, report) for run in (CONTROLS if plan.controls else ())},
        robustness={run.name: _judge(examiner, part, run, records, report) for run in (plan.grid if part else ())},
        tested=_judge(examiner, to_test(main, plan.faithfulness), TESTED, records, report) if plan.faithfulness else (),
        images_per_second=new / seconds if new else None,
    )


def _judge(examiner: Examiner, labels: Sequence[Label], run: Run, records: Records, report: Report) -> tuple[Judged, ...]:
    found = {label.file: known for label in labels if (known := records.known(run.name, label.file)) is not None}

    def keep(judged: Judged) -> None:
        records.add(run.name, judged)
        found[judged.label.file] = judged
        report(EvaluationProgress(run.name, len(found), len(labels)))

    report(EvaluationProgress(run.name, len(found), len(labels)))
    examiner.judge([label for label in labels if label.file not in found], run, keep)
    return tuple(found[label.file] for label in labels)

"""The evaluation from pictures to report, over the real pipeline and a scripted model."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import ImageStat
from rich.console import Console

from tests.unit.lab.photographs import draw_photograph
from tests.unit.lab.verdicts import BOX, judged_as, label
from tests.unit.zoomin.world import said
from worker.cli.lab.figures import print_evaluation
from worker.images.decode import decode
from worker.images.degradation import estimate
from worker.images.pool import DecodePool
from worker.lab.evaluation import bootstrap
from worker.lab.evaluation.evaluation import Evaluation, robustness_table, summarise
from worker.lab.evaluation.examiner import Examiner
from worker.lab.evaluation.figures import MEANINGS, Metric
from worker.lab.evaluation.gallery import gallery
from worker.lab.evaluation.judgements import EvaluationProgress, Judgements, Plan, judge_runs
from worker.lab.evaluation.picture_set import PictureSet, open_set, sample_by_source
from worker.lab.evaluation.records import opened_records
from worker.lab.evaluation.report import report_object, write_report
from worker.lab.evaluation.runs import CONTROLS, GRID, MAIN, ROBUSTNESS, Alteration, Kind, altered_file
from worker.lab.evaluation.stages import stage_table
from worker.lab.evaluation.tables import error_figures, score_row
from worker.lab.labels import Label, write_labels
from worker.lab.taught_on import Past, Seen, digest_of, overlap
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import OutcomeKind, Verdict
from worker.moderation.release import Release, Training
from worker.queue.async_moderator import EventLoopThread, LoadedModel
from worker.vision.model import Answer, ImagePart, Question
from worker.vision.scripted import ScriptedVision
from worker.zoomin.prompts import load_prompts

ISSUE_NAMES = {  # what other things rely on
    "n",
    "balanced_accuracy",
    "auroc",
    "average_precision",
    "tpr_at_1_fpr",
    "ece",
    "brier",
    "iou_mean_best",
    "f1_at_50",
    "scan_accuracy",
    "random_crop_accuracy",
    "no_crop_accuracy",
    "unreadable_rate",
}
FOUND = {"bbox_2d": [10, 10, 110, 110], "reason": "smooth"}


def answer(question: Question) -> Answer:
    """What is dark is called generated; the scan boxes BOX whatever it sees."""
    whole = next(part for turn in question.turns for part in turn.parts if isinstance(part, ImagePart))
    dark = ImageStat.Stat(whole.pixels.convert("L")).mean[0] < 100
    verdict = "generated" if dark else "real"
    explanation, finding = "<script>alert(1)</script>", {"region": 1, "finding": "<b>smooth</b>"}
    if "regions" in question.reply_schema["properties"]:
        reply = {"explanation": explanation, "regions": [FOUND], "verdict": verdict}
    else:
        reply = {"findings": [finding], "explanation": explanation, "verdict": verdict}
    p = {Verdict.GENERATED: -0.1, Verdict.REAL: -2.3} if dark else {Verdict.GENERATED: -2.3, Verdict.REAL: -0.1}
    return replace(said(json.dumps(reply)), verdict_logprobs=p)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs and what was made of them; dark is generated, but one picture is corrupt."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    labels = []
    for source in ("a", "b"):
        for kind, of in {
            "clean": label(f"{source}-clean.png", source=source),
            "control": label(f"{source}-control.png", control=True, source=source),
            "net": label(f"{source}-net.png", "net", source=source),
        }.items():
            picture = draw_photograph(ord(source), (224, 196))  # a legal size: boxes come back exact
            (picture.point(lambda value: value // 2) if kind == "net" else picture).save(folder / of.file)
            labels.append(of)
    (folder / "b-net.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    write_labels(folder / "labels.jsonl", labels)
    return folder


@pytest.fixture
def examiner(folder: Path) -> Iterator[Examiner]:
    model = LoadedModel(loop=EventLoopThread(), vision=ScriptedVision(answer), prompts=load_prompts(), decoder=DecodePool(1))
    with closing(Examiner(model, folder, 4)) as examiner:
        yield examiner


@pytest.fixture
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 20)


def ignore(_: EvaluationProgress) -> None:
    pass


def opened(folder: Path) -> PictureSet:
    return open_set(folder, folder / "labels.jsonl")


def summary(labels: list[Label], scores: list[float | None]) -> Evaluation:
    main = tuple(judged_as(of, p) for of, p in zip(labels, scores, strict=True))
    pictures = PictureSet(folder=Path("f"), labels=tuple(labels), unlabelled=0, labels_sha256="ab", digests=(b"cd",))
    return summarise(pictures, Judgements(release=Release("nano", Training.TRAINED, {}), main=main), "a test", (), ignore)


@pytest.mark.usefixtures("_few_resamples")
def test_pictures_become_a_report_through_the_real_pipeline(folder: Path, examiner: Examiner, tmp_path: Path) -> None:
    pictures = opened(folder)
    with opened_records(tmp_path / "out", pictures, examiner.release.id) as records:
        judgements = judge_runs(examiner, pictures.labels, Plan(robustness=3), records, ignore)
    assert [picture.kind for picture in judgements.main] == [OutcomeKind.VERDICT] * 5 + [OutcomeKind.FAILED]
    assert set(judgements.controls) == {run.name for run in CONTROLS}
    assert set(judgements.robustness) == {run.name for run in ROBUSTNESS}
    assert all(len(run) == 3 for run in judgements.robustness.values())
    assert {len(picture.found) for picture in judgements.controls["no crop"]} == {0}
    evaluation = summarise(pictures, judgements, "a test", (), ignore)
    write_report(tmp_path / "out", evaluation, judgements.main, folder)

    told = json.loads((tmp_path / "out" / "report.json").read_text())
    assert told.keys() >= ISSUE_NAMES
    assert told["n"] == 6
    assert told["balanced_accuracy"]["value"] == pytest.approx(0.75)  # the corrupt generated picture counts as missed
    assert told["unreadable_rate"]["value"] == pytest.approx(1 / 6)
    assert told["iou_mean_best"]["value"] == pytest.approx(0.5)
    assert told["outcomes"]["failed"] == 1
    assert told["throughput"]["prompt_tokens"] == 600
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>smooth" not in page
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "UNTRAINED model" in page


def test_an_interrupted_evaluation_goes_on_from_its_records(folder: Path, examiner: Examiner, tmp_path: Path) -> None:
    pictures, plan = opened(folder), Plan(controls=False, robustness=0)

    def interrupt(seen: EvaluationProgress) -> None:
        if seen.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), opened_records(tmp_path, pictures, examiner.release.id) as records:
        judge_runs(examiner, pictures.labels, plan, records, interrupt)
    with (tmp_path / "outcomes.jsonl").open("ab") as file:
        file.write(b'{"run": "cut o')
    begun: list[int] = []
    with opened_records(tmp_path, pictures, examiner.release.id) as records:
        resumed = judge_runs(examiner, pictures.labels, plan, records, lambda seen: begun.append(seen.done))
    assert begun == [3, 4, 5, 6]
    with opened_records(None, pictures, examiner.release.id) as records:
        afresh = judge_runs(examiner, pictures.labels, plan, records, ignore)
    assert [(p.label, p.verdict, p.p_generated, p.found) for p in resumed.main] == [
        (p.label, p.verdict, p.p_generated, p.found) for p in afresh.main
    ]


def test_records_of_another_release_are_not_mixed_in(folder: Path, tmp_path: Path) -> None:
    with opened_records(tmp_path, opened(folder), "nano-1"):
        pass
    with pytest.raises(RejectedError, match="release nano-1"), opened_records(tmp_path, opened(folder), "nano-2"):
        pass


def test_a_release_is_named_after_its_choice_of_regions(examiner: Examiner) -> None:
    assert examiner.release.facts["regions"]["choice"] == "scan_boxes"
    assert MAIN.alteration is None


@pytest.mark.usefixtures("_few_resamples")
def test_one_class_alone_gives_rates_and_nulls() -> None:
    labels = [replace(label(f"{number}.png", "net"), regions=()) for number in range(4)]
    evaluation = summary(labels, [0.9, 0.9, 0.2, None])
    told = report_object(evaluation)
    undetermined = {"value": None, "low": None, "high": None}
    assert [told[name] for name in ("auroc", "balanced_accuracy", "iou_mean_best", "no_crop_accuracy")] == [undetermined] * 4
    assert told["detected"]["value"] == 0.5
    assert told["unreadable_rate"]["value"] == 0.25
    assert {table.key: table.telling for table in evaluation.tables}["generators"] is Metric.DETECTED
    assert [row.name for table in evaluation.tables if table.key == "generators" for row in table.rows] == ["net"]


@pytest.mark.usefixtures("_few_resamples")
def test_generated_pictures_are_set_against_clean_ones_controls_and_both() -> None:
    labels = [
        label("a", source="x/a"),
        label("b", control=True, source="x/a"),
        label("c", "net", source="x/a"),
        label("d", "net", source="y/b"),
    ]
    tables = {table.key: table for table in summary(labels, [0.1, 0.8, 0.9, 0.7]).tables}
    auroc = {row.name: row.figures[Metric.AUROC].value for row in tables["against"].rows}
    assert auroc == {"against clean photographs": 1.0, "against controls": 0.5, "against both": 0.75}
    assert [row.name for row in tables["generators"].rows] == [f"net {name}" for name in auroc]


@pytest.mark.usefixtures("_few_resamples")
def test_flips_are_counted_by_whether_they_help() -> None:
    labels = [label("a", "net"), label("b", "net"), label("c"), label("d")]
    scan = [0.1, 0.9, 0.1, 0.1]
    main = tuple(judged_as(of, p, scan=s) for of, p, s in zip(labels, [0.9, 0.2, 0.3, 0.2], scan, strict=True))
    pictures = PictureSet(folder=Path("f"), labels=tuple(labels), unlabelled=0, labels_sha256="ab", digests=(b"cd",))
    evaluation = summarise(pictures, Judgements(release=Release("nano", Training.TRAINED, {}), main=main), "a test", (), ignore)
    stages = next(table for table in evaluation.tables if table.key == "stages")
    scan_row, final_row = stages.rows
    assert final_row.figures[Metric.GOOD_FLIPS].value == final_row.figures[Metric.BAD_FLIPS].value == 0.25
    assert scan_row.figures[Metric.FINAL_MINUS_THIS].value == 0.0


@pytest.mark.usefixtures("_few_resamples")
def test_a_control_that_cut_what_the_main_run_cut_says_so() -> None:
    labels = [label("a", "net"), label("b")]
    main = tuple(judged_as(of, p, found=(BOX,)) for of, p in zip(labels, (0.9, 0.1), strict=True))
    elsewhere = tuple(replace(picture, found=(Box(0, 0, 9, 9),)) for picture in main)
    table = stage_table(main, {"largest 3": main, "random crops": elsewhere})
    assert [row.name for row in table.rows[2:]] == ["largest 3", "random crops"]
    assert table.note.endswith("Cut what the main run cut, and so says nothing: largest 3.")


@pytest.mark.usefixtures("_few_resamples")
def test_the_grid_says_what_each_alteration_costs_on_the_same_pictures() -> None:
    labels = [label("a", "net"), label("b", "net"), label("c"), label("d")]
    main = tuple(judged_as(of, p) for of, p in zip(labels, (0.9, 0.8, 0.1, 0.2), strict=True))
    blurred = tuple(judged_as(of, p) for of, p in zip(labels, (0.9, 0.2, 0.1, 0.2), strict=True))
    first, second = robustness_table(main, {"blur 2": blurred}).rows
    assert (first.name, second.name) == ("unaltered", "blur 2")
    assert Metric.FINAL_MINUS_THIS not in first.figures
    assert second.figures[Metric.FINAL_MINUS_THIS].value == 0.25
    assert not {Metric.ECE, Metric.TPR_AT_1_FPR} & set(second.figures)


@pytest.mark.usefixtures("_few_resamples")
def test_rows_of_few_pictures_leave_out_what_these_do_not_determine() -> None:
    few = [judged_as(label(str(number), "net" if number % 2 else None), number / 99) for number in range(99)]
    many = [judged_as(label(str(number), "net" if number % 2 else None), number / 599) for number in range(600)]
    assert not {Metric.ECE, Metric.TPR_AT_1_FPR} & set(score_row("few", few).figures)
    assert {Metric.ECE, Metric.TPR_AT_1_FPR} <= set(score_row("many", many).figures)


@pytest.mark.usefixtures("_few_resamples")
def test_no_unreadable_picture_of_twenty_photographs_is_no_proof_that_none_ever_is() -> None:
    pictures = [judged_as(label(str(number), source=str(number % 20)), 0.1) for number in range(60)]
    (rate,) = error_figures(pictures).values()
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(1 - 0.025 ** (1 / 20))


@pytest.mark.usefixtures("_few_resamples")
def test_a_report_on_photographs_that_taught_the_model_says_so_everywhere(folder: Path, tmp_path: Path) -> None:
    labels = [label("a-net.png", "net", source="a"), label("b-clean.png", source="b")]
    main = tuple(judged_as(of, p) for of, p in zip(labels, (0.9, 0.1), strict=True))
    pictures = PictureSet(folder=folder, labels=tuple(labels), unlabelled=0, labels_sha256="ab", digests=(b"cd",))
    judgements = Judgements(release=Release("nano", Training.TRAINED, {}), main=main)
    past = Past(taught=(Seen(labels_sha256="other", photographs=frozenset({digest_of("a")})),))
    evaluation = summarise(pictures, judgements, "a test", (), ignore, overlap(past, labels, "ab"))
    assert report_object(evaluation)["seen_before"] == {"taught": 1, "calibrated": 0}
    write_report(tmp_path, evaluation, main, folder)
    assert "1 of the photographs taught this model" in (tmp_path / "report.html").read_text()
    console = Console(record=True, width=100)
    print_evaluation(evaluation, console)
    assert "1 of the photographs taught this model" in console.export_text()


def test_flips_are_shown_surest_first(folder: Path) -> None:
    turned = [judged_as(label("a-net.png", "net"), p, scan=0.1) for p in (0.6, 0.95, 0.7)]
    (shelf,) = (shelf for shelf in gallery(turned, folder) if shelf.title.startswith("Good flips"))
    assert [exhibit.judged.p_generated for exhibit in shelf.exhibits] == [0.95, 0.7, 0.6]


def test_a_sample_keeps_photographs_whole_and_is_the_same_every_time() -> None:
    labels = [label(f"{source}-{kind}", "net" if kind else None, source=str(source)) for source in range(30) for kind in range(3)]
    sample = sample_by_source(labels, 20)
    assert len(sample) == 18
    assert sample == sample_by_source(labels, 20)
    assert all(sum(other.source == one.source for other in sample) == 3 for one in sample)
    assert [labels.index(one) for one in sample] == sorted(labels.index(one) for one in sample)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "a-net.png").unlink(), "lacks 1 of 6 labelled pictures: a-net.png"),
        (lambda folder: draw_photograph(1, (50, 50)).save(folder / "a-net.png"), "Boxes leave their pictures"),
        (lambda folder: (folder / "labels.jsonl").write_text(""), "holds no labels"),
    ],
    ids=["a missing file", "a box outside", "no labels"],
)
def test_sets_that_cannot_be_evaluated_are_refused(folder: Path, change: Callable[[Path], object], words: str) -> None:
    change(folder)
    with pytest.raises(RejectedError, match=words):
        opened(folder)


def test_pictures_without_a_label_are_counted(folder: Path) -> None:
    draw_photograph(9).save(folder / "stray.png")
    assert opened(folder).unlabelled == 1


@pytest.mark.parametrize("alteration", GRID, ids=lambda alteration: alteration.name)
def test_every_alteration_changes_pixels_and_keeps_the_size(alteration: Alteration) -> None:
    picture = draw_photograph(4, (90, 70))
    first, second = (altered_file(picture, alteration, 7) for _ in range(2))
    assert first == second
    pixels = decode(first).pixels
    assert pixels.size == picture.size
    assert pixels.tobytes() != picture.tobytes()


def test_an_altered_picture_arrives_as_the_file_that_tells_of_it() -> None:
    body = altered_file(draw_photograph(4, (300, 280)), Alteration(Kind.JPEG, 60), 7)
    assert estimate(decode(body)).jpeg_quality == 60
    framed = decode(altered_file(draw_photograph(4, (300, 280)), Alteration(Kind.FRAME, 0.1), 7))
    assert estimate(framed).border
    assert framed.size.pixels > 300 * 280


def test_the_grid_has_what_the_method_asks_for() -> None:
    names = {alteration.name for alteration in GRID}
    assert {"JPEG 95", "JPEG 80", "JPEG 30", "resize 0.5", "blur 2", "noise 8", "WebP 50", "screenshot 0.75"} <= names
    assert len(names) == len(GRID) == 18


def test_every_metric_says_what_it_means() -> None:
    assert set(MEANINGS) == set(Metric)

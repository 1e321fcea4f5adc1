"""`zoomin demo`: a dozen sample images through the real path, shown step by step."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.endings import ExitCode, interrupt_on_termination
from worker.cli.running import SAMPLES, running_services, sample_folder
from worker.cli.services import Services
from worker.cli.steps import step
from worker.cli.terminal import console, say
from worker.moderation.settings import load_settings

if TYPE_CHECKING:
    from uuid import UUID


def demo(
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the annotated pictures go. (default: demo/ under ZOOMIN_HOME)", show_default=False),
    ] = None,
) -> None:
    """Judge six photographs, clean and doctored, with everything real: Postgres, Valkey, S3, Celery, vLLM. Two minutes on two cores."""
    interrupt_on_termination()
    settings = load_settings()
    with running_services(settings) as services, sample_folder() as folder:
        code = _judge(services, folder, pictures or settings.home / "demo")
    raise typer.Exit(code)


def _judge(services: Services, folder: str, pictures: Path) -> ExitCode:
    from worker.cli.following import follow
    from worker.cli.installation.local_batches import LocalBatches
    from worker.cli.submitting import Terms, submit
    from worker.cli.summaries import ending_of, in_words

    say(f"Scanning {folder}, as `zoomin scan {folder} --wait` would:")
    batches = LocalBatches(services)
    submitted = submit(batches, folder, Terms())
    followed = follow(batches, submitted.batch_id, started=submitted.started)
    say(f"Batch {submitted.batch_id} {followed.batch.state}: {in_words(followed.batch)}.\n")
    _show(services, submitted.batch_id, pictures)
    return ending_of(followed.batch)


def _show(services: Services, batch_id: "UUID", folder: Path) -> None:
    from worker.cli.pair_figures import print_pair_figures
    from worker.cli.pictures import draw_overview, draw_pictures
    from worker.cli.tables import print_results
    from worker.lab.labels import read_labels
    from worker.store.releases import read_facts
    from worker.store.results import stream_results
    from worker.store.session import transaction

    results = list(stream_results(services.engine, batch_id))
    print_results(results, console())
    with transaction(services.engine) as session:
        releases = read_facts(session, {result.release for result in results if result.release})
    print_pair_figures(results, read_labels(SAMPLES / "labels.jsonl"), releases, console())
    with step("Drawing boxes and zoom crops on the samples"):
        drawn = draw_pictures(results, folder, services.storage, services.settings)
        if drawn:
            draw_overview(drawn, folder / "overview.jpg")
    say(f"\nAnnotated pictures: {folder.absolute()}, all on one sheet: {folder.absolute() / 'overview.jpg'}")
    say(f"The same results as JSON, while a stack runs (`zoomin up`): zoomin results {batch_id} --format jsonl\n")

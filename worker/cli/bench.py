"""`zoomin bench …`: measurements on this machine."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from worker.cli.batches import JsonOption
from worker.cli.endings import Commands
from worker.cli.terminal import report
from worker.moderation.settings import load_settings

bench = typer.Typer(cls=Commands, no_args_is_help=True, help="Measure this machine.")


@bench.command()
def intake(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the manifest.")] = 1_000_000,
    as_json: JsonOption = False,
) -> None:
    """Take in a large manifest, against a raw COPY of the same rows in the same run. Starts Postgres of its own if none is named."""
    from worker.exports.jsonl import json_line
    from worker.intake.benchmark import measure_intake

    measured = measure_intake(rows, load_settings())
    if as_json:
        figures = {name: getattr(measured, name) for name in ("rows_per_s", "raw_copy_rows_per_s", "peak_rss_mb", "rows")}
        sys.stdout.write(json_line(figures))
        return
    report(f"{measured.rows:,} rows: {measured.rows_per_s:,.0f} rows/s; a raw COPY of them: {measured.raw_copy_rows_per_s:,.0f} rows/s")
    report(f"That is {measured.ratio:.2f} of a raw COPY. Peak memory: {measured.peak_rss_mb:.0f} MB")


@bench.command()
def scan(
    rounds: Annotated[int, typer.Option(min=1, help="How often the samples are scanned.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Scan the samples again and again: time to the first verdict, images per second, share of the prompts that came from the cache."""
    settings = load_settings()
    from worker.cli.measuring import measure_scans
    from worker.cli.running import running_services, sample_folder
    from worker.exports.jsonl import json_line

    with running_services(settings) as services, sample_folder() as folder:
        measured = measure_scans(services, folder, rounds)
    if as_json:
        sys.stdout.write(json_line(asdict(measured)))
        return
    report(f"{rounds} scans of {measured.images} images. Release {measured.release}.")
    report(f"First verdict after {measured.first_verdict_seconds:.1f} s (median), {measured.slowest_first_verdict_seconds:.1f} s at most.")
    report(f"{measured.images_per_s:.2f} images/s (median, intake included).")
    report(
        f"From the cache: {measured.cached_attainable_share:.3f} of what is attainable, {measured.cached_prompt_share:.3f} of the prompt."
    )


@bench.command()
def audit(
    outcomes: Annotated[int, typer.Option(min=1_000, help="Outcomes per round, of four writers together.")] = 4_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds with the chain, and as many without.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Record outcomes with four writers, with the audit's hash chain and without. Starts Postgres of its own if none is named."""
    from worker.audit.benchmark import measure_chain
    from worker.exports.jsonl import json_line

    measured = measure_chain(outcomes, rounds, load_settings())
    if as_json:
        sys.stdout.write(json_line({**asdict(measured), "ratio": measured.ratio}))
        return
    report(f"{measured.writers} writers, {measured.outcomes:,} outcomes: {measured.outcomes_per_s:,.0f}/s with the hash chain,")
    report(f"{measured.unchained_outcomes_per_s:,.0f}/s without: {measured.ratio:.2f} of it. Medians of {rounds} rounds each.")
    report(f"Verifying: {measured.verified_events_per_s:,.0f} events/s.")

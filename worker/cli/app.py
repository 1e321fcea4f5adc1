"""The commands of `zoomin`, in the order in which a newcomer meets them."""

import typer

from worker.cli import attend, batches, demo, dispatch, evaluate, intake, results, scan, settings, up
from worker.cli.audit import audit
from worker.cli.bench import bench
from worker.cli.dataset import dataset
from worker.cli.db import db
from worker.cli.endings import EXIT_CODES_HELP, Commands
from worker.cli.golden import golden
from worker.cli.keys import keys
from worker.cli.people import people
from worker.cli.policies import policies
from worker.cli.retention import erase, hold, retention
from worker.cli.statements import statements
from worker.cli.train import train
from worker.cli.webhooks import webhooks

RUN, SUBMIT, READ, OPERATE = "Run it on this machine", "Submit images", "Read results", "Operate"
LAB = "Build data, train, measure"

app = typer.Typer(
    cls=Commands,
    name="zoomin",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="ZoomIn: finds AI-generated images in bulk. Every image is scanned whole, looked at closely where it is suspicious, and judged; "
    "verdicts with boxes and explanations land in Postgres.\n\nNew here? `zoomin demo` shows all of it in two minutes.",
    epilog=EXIT_CODES_HELP,
)
app.command(rich_help_panel=RUN)(demo.demo)
app.command(rich_help_panel=RUN)(up.up)
app.command(rich_help_panel=SUBMIT, epilog=EXIT_CODES_HELP)(scan.scan)
app.command(rich_help_panel=SUBMIT)(batches.batches)
app.command(rich_help_panel=SUBMIT)(batches.cancel)
app.command(rich_help_panel=SUBMIT)(batches.resume)
app.command(rich_help_panel=SUBMIT)(batches.rescan)
app.command(rich_help_panel=READ)(results.results)
app.command(rich_help_panel=READ)(results.errors)
app.command(rich_help_panel=READ)(attend.attend)
app.command("settings", rich_help_panel=OPERATE)(settings.show_settings)
app.command(rich_help_panel=OPERATE)(dispatch.dispatch)
app.command(rich_help_panel=OPERATE)(intake.intake)
app.add_typer(policies, name="policies", rich_help_panel=OPERATE)
app.add_typer(golden, name="golden", rich_help_panel=OPERATE)
app.add_typer(keys, name="keys", rich_help_panel=OPERATE)
app.add_typer(people, name="people", rich_help_panel=OPERATE)
app.add_typer(audit, name="audit", rich_help_panel=OPERATE)
app.command(rich_help_panel=OPERATE)(erase)
app.add_typer(hold, name="hold", rich_help_panel=OPERATE)
app.add_typer(retention, name="retention", rich_help_panel=OPERATE)
app.add_typer(webhooks, name="webhooks", rich_help_panel=OPERATE)
app.add_typer(statements, name="statements", rich_help_panel=OPERATE)
app.add_typer(db, name="db", rich_help_panel=OPERATE)
app.add_typer(bench, name="bench", rich_help_panel=OPERATE)
app.add_typer(dataset, name="dataset", rich_help_panel=LAB)
app.add_typer(train, name="train", rich_help_panel=LAB)
app.command(rich_help_panel=LAB)(evaluate.evaluate)
app.command(rich_help_panel=LAB)(evaluate.calibrate)

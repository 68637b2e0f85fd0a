"""`simulate` writes a town's log with its labels; `measure` plays held-out towns through the whole engine and says how well it tells fraud from honest life."""

from dataclasses import asdict
from pathlib import Path

import click
import msgspec

from reference_apps.fraud.policy import policy
from reference_apps.fraud.simulating import measuring, story, tables

ENCODER = msgspec.json.Encoder()
SEEDS = ",".join(map(str, measuring.HELD_OUT_SEEDS))
DAYS = click.option("--days", type=click.IntRange(1), default=measuring.DAYS, show_default=True)
CUSTOMERS = click.option("--customers", type=click.IntRange(1), default=measuring.CUSTOMERS, show_default=True)


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed writes the same bytes.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to.")
@DAYS
@CUSTOMERS
def simulate(seed: int, out: Path, days: int, customers: int) -> int:
    """Write events.jsonl and labels.jsonl of a town."""
    try:
        told = story.tell(seed, days=days, customers=customers)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    out.mkdir(parents=True, exist_ok=True)
    labels = [told.labels[event.id] for event in told.events if event.id in told.labels]
    for name, lines in (("events.jsonl", told.events), ("labels.jsonl", labels)):
        (out / name).write_bytes(ENCODER.encode_lines(lines))
    click.echo(f"{len(told.events)} events, {len(labels)} of them fraud in {len({label.incident for label in labels})} incidents: {out}")
    return 0


@click.command()
@click.option("--seeds", default=SEEDS, show_default=True, help="Towns, with commas between; by default the held-out ones.")
@click.option("--policy", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A policy to measure instead of the one that ships.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@DAYS
@CUSTOMERS
def measure(seeds: str, file: Path | None, as_json: bool, days: int, customers: int) -> int:
    """Say how well each model and the verdicts tell fraud from honest life."""
    held = policy.load(file)
    try:
        numbers = [int(seed) for seed in seeds.split(",")]
        seen = measuring.play(held, numbers, days=days, customers=customers)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    models, verdicts, anomalies = measuring.of_models(held, seen), measuring.of_verdicts(seen), measuring.of_anomalies(seen)
    if as_json:
        said = {"seeds": numbers, "models": [asdict(each) for each in models], "verdicts": asdict(verdicts), "anomaly_auc": anomalies}
        click.echo(ENCODER.encode(said))
    else:
        click.echo("\n".join((*tables.of_models(models, anomalies), "", *tables.of_verdicts(verdicts, anomalies))))
    return 0

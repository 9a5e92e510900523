"""``twocet batch``: many edits from a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from twocet.errors import UserError

_LISTED = 50


def batch(
    jobs: tyro.conf.Positional[str],
    /,
    *,
    output: Annotated[str, tyro.conf.arg(aliases=["-o"])],
    workers: int | None = None,
    engine: Literal["processes", "ray"] = "processes",
    ray_address: str | None = None,
    shard: Annotated[str | None, tyro.conf.arg(metavar="K/N")] = None,
    journal: Path | None = None,
    mouth: Literal["real", "painted"] = "real",
    strict: bool = False,
    model: str = "default",
    crop_only: bool = False,
    no_mark: bool = False,
    strip_private: bool = False,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Do every edit that a table (CSV) lists: one row, one picture.

    Columns: target, and reference or preset. Optional: strength (1), output (file name), face (1 = largest, or all),
    reference_face, keep (mouth, eyes, brows, gaze; with spaces between), aligned (yes or no), mouth_from (another photo
    of the target's person). Your own columns are copied into the report. Paths are relative to the table.

    Rows that fail are set aside and listed at the end and in DIR/report.csv. Run the same command again to continue
    after an interruption; rows whose photos, values or model changed are done again. Table, photos and output may be
    URLs that fsspec knows, such as s3://bucket/photos.

    examples:
      twocet batch jobs.csv -o edited
      twocet batch jobs.csv -o edited --workers 4 --json
      twocet batch jobs.csv -o edited --shard 3/8
      twocet batch jobs.csv -o s3://bucket/edited --journal edited --engine ray --ray-address auto

    Args:
        jobs: The table.
        output: Folder for the pictures, made if it is missing.
        workers: Processes on this machine; one per core if not given.
        engine: processes: on this machine; ray: on a Ray cluster (pip install 'twocet[ray]').
        ray_address: A running Ray cluster, such as auto or ray://head:10001; otherwise Ray is started here.
        shard: Do every N-th row from the K-th on, for arrays of jobs; the command without it joins what all have done.
        journal: Folder for the journal and the report, in place of the output folder; needed where that is a URL.
        mouth: real: made of photos' own pixels; painted: by the model alone.
        strict: Set aside rows that cannot be edited well, instead of printing a note.
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        crop_only: Write only the aligned faces, at the model's size.
        no_mark: Leave out the marks that say that a model changed the picture.
        strip_private: Remove place (GPS), camera and owner from the results' metadata.
        device: Where the model runs: cpu, cuda or mps.
        as_json: Print a report as JSON.
    """
    if workers is not None and workers < 1:
        raise UserError(f"workers is {workers}: give 1 or more")
    if ray_address and engine != "ray":
        raise UserError("--ray-address is for --engine ray")
    from functools import partial

    from tqdm import tqdm

    from twocet.edit import batch as work
    from twocet.edit import cluster, presets
    from twocet.edit.jobs import WHOLE, read_shard, read_table
    from twocet.edit.models import load_editing
    from twocet.model.model import find_model
    from twocet.runtime.files import make_folder, only_process, remove_partials, write_whole
    from twocet.runtime.processes import num_cores

    path = find_model(model)
    _, (known_as, sha256) = load_editing(path, "cpu")  # a model that is wrong is wrong for every row
    settings = work.Settings(
        model=str(path), model_sha256=sha256, device=device, mark=not no_mark, crop_only=crop_only, mouth=mouth,
        strict=strict, strip_private=strip_private,
    )  # fmt: skip
    part = read_shard(shard) if shard else WHOLE
    table = read_table(jobs, output, lambda name: presets.find(name, known_as, sha256).code, part)
    records = work.records_folder(output, journal, part)
    make_folder(records)
    with only_process(records, "batch"):
        remove_partials(records)
        noted = work.Journal(records)
        keyed = [(job, work.key_of(job, settings)) for job in table.jobs]
        outcomes = {job.line: done for job, key in keyed if (done := noted.done(key, job.output))}
        before = len(outcomes)
        with tqdm(total=len(keyed), initial=before, unit="photo", disable=None) as bar:
            todo = [(job, key) for job, key in keyed if job.line not in outcomes]
            run = partial(cluster.run, address=ray_address) if engine == "ray" else work.run
            for outcome in run(todo, settings, workers or num_cores()):
                noted.add(outcome)
                outcomes[outcome.line] = outcome
                bar.update()
        report = write_whole(records / work.REPORT, work.report_csv(table, outcomes))
    failed = {line: outcome.error for line, outcome in outcomes.items() if outcome.status == "failed"}
    _announce(len(table.rows), before, {**table.wrong, **failed}, report, as_json)


def _announce(rows: int, before: int, failed: dict[int, str], report: Path, as_json: bool) -> None:
    """Says what happened. Raises UserError when rows failed."""
    if as_json:
        import json

        listed = [{"line": line, "error": error} for line, error in sorted(failed.items())]
        print(json.dumps({"rows": rows, "done_before": before, "failed": listed, "report": str(report)}, indent=2))
    else:
        earlier = f" ({before} of them in an earlier run)" if before else ""
        print(f"wrote {rows - len(failed)} pictures{earlier} and {report}")
        for line, error in sorted(failed.items())[:_LISTED]:
            print(f"failed: line {line}: {error}", file=sys.stderr)
    if failed:
        raise UserError(f"{len(failed)} of {rows} rows failed (see {report}); the others were written.")

"""How many raters find which difference: the power of a study, by simulation.

Made-up studies in which two methods differ by so much on the scale from 0 to 5, every rater sees every pair with both,
and the raters are those of ``study_raters``. Power is the share of studies whose 95 % interval of the difference,
crossed over raters and targets, leaves out 0; at difference 0 it is the share of false alarms, which should be 0.05.

    python benchmarks/study_power.py -o docs/results/study-power.json
    python benchmarks/study_power.py --raters 15 30 --targets 40 --studies 200 -o power.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import optimize
from statsmodels.api import OLS
from study_raters import SCORES, SHARES, UNSURE, Normal, impressions, latent, ratings
from tqdm import tqdm

from twocet.runtime.commit import commit
from twocet.study.statistics import Clusters, crossed

TYPICAL = {"identity": (4.69, 0.86), "expression": (3.45, 1.62)}
"""Means of the three rows of the paper's Table 2."""


class Size(NamedTuple):
    """Of a study, after exclusions."""

    raters: int
    targets: int
    """People, each the target of one pair."""


def worse(method: Normal, difference: float) -> Normal:
    """The impressions, as scattered, of a method whose answers are lower by ``difference`` on the average."""
    wanted = method.moments[0] - difference
    shift = optimize.brentq(lambda x: Normal(x, method.deviation).moments[0] - wanted, -60, 60)
    return Normal(float(shift), method.deviation)


def found(cells: tuple[Normal, Normal], size: Size, task: str, rng: np.random.Generator) -> bool:
    """Whether one made-up study finds that the first method is better or worse than the second."""
    values = latent(cells, size.raters, np.arange(size.targets), rng)
    rater, target, method = (axis.ravel() for axis in np.indices(values.shape))
    if task == "rating":
        scores = SCORES[ratings(values.ravel()) - 1]
        fit = OLS(scores, np.eye(2)[method]).fit()
        (estimate,) = crossed(fit, np.array([[1.0, -1.0]]), Clusters(rater, target))
    else:
        ahead = values[..., 0] - values[..., 1]
        preferred = np.where(np.abs(ahead) < UNSURE, 0.5, ahead > 0).ravel() - 0.5
        own = method == 0
        (estimate,) = crossed(
            OLS(preferred, np.ones((own.sum(), 1))).fit(), np.eye(1), Clusters(rater[own], target[own])
        )
    return bool(estimate.low > 0 or estimate.high < 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raters", type=int, nargs="+", default=[10, 19, 25, 50])
    parser.add_argument("--targets", type=int, nargs="+", default=[25, 75])
    parser.add_argument("--differences", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.3, 0.5])
    parser.add_argument("--studies", type=int, default=400, help="made-up studies for each figure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the result")
    given = parser.parse_args()
    rows = []
    sizes = [Size(raters, targets) for targets in given.targets for raters in given.raters]
    with tqdm(total=2 * 2 * len(sizes) * len(given.differences), unit="figure") as bar:
        for question, cell in TYPICAL.items():
            base = impressions(*cell)
            for task in ("rating", "comparison"):
                for size in sizes:
                    rng = np.random.default_rng([given.seed, *size])
                    power = {}
                    for difference in given.differences:
                        cells = (base, worse(base, difference))
                        hits = sum(found(cells, size, task, rng) for _ in range(given.studies))
                        power[f"{difference:g}"] = hits / given.studies
                        bar.update()
                    rows.append({"question": question, "task": task, **size._asdict(), "power": power})
    command = " ".join(["python benchmarks/study_power.py", *sys.argv[1:-1], given.output.name])
    result = {
        "rows": rows, "studies": given.studies, "typical": TYPICAL, "shares_of_variance": SHARES, "unsure": UNSURE,
        "seed": given.seed, "command": command, "commit": commit(),
    }  # fmt: skip
    given.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"| question | task | targets | raters | {' | '.join(rows[0]['power'])} |")
    for row in rows:
        figures = " | ".join(f"{value:.2f}" for value in row["power"].values())
        print(f"| {row['question']} | {row['task']} | {row['targets']} | {row['raters']} | {figures} |")


if __name__ == "__main__":
    main()

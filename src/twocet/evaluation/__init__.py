"""Measuring a model on a dataset folder, and the report of it.

``people`` reads who is there and decides who gives an expression to whom; ``maker`` makes pictures; ``readers`` measure
them in processes; ``transfers``, ``photos``, ``realism`` and ``codes`` are the measures; ``run`` joins them;
``tables``, ``charts``, ``gallery``, ``markdown`` and ``page`` show the result.
"""

from twocet.evaluation.report import CACHE, write_report
from twocet.evaluation.run import MOST, Evaluation, evaluate_model
from twocet.evaluation.summary import Summary, to_json

__all__ = ["CACHE", "MOST", "Evaluation", "Summary", "evaluate_model", "to_json", "write_report"]

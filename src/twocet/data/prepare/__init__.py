"""Laboratory sets as their makers publish them, turned into dataset folders."""

from __future__ import annotations

from twocet.data.prepare.dataset import Prepared, Settings, prepare_dataset
from twocet.data.prepare.originals import SETS, SetName
from twocet.data.prepare.splits import SplitRule, Splitting

__all__ = ["SETS", "Prepared", "SetName", "Settings", "SplitRule", "Splitting", "prepare_dataset"]

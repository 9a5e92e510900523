"""A trained shape model: what it does to point sets, and its file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twocet.errors import UserError, check
from twocet.method import codes
from twocet.model.model import SAMPLE_WIDTH, load_networks, read_file, save_networks
from twocet.networks.interfaces import Networks
from twocet.runtime.arrays import Floats
from twocet.runtime.randomness import generator_at
from twocet.shapes.components import Components
from twocet.shapes.config import ShapeConfig
from twocet.shapes.frame import Frame
from twocet.shapes.networks import build

"""A tiny untrained model that visibly moves faces, a real ``twocet serve`` process, and photos to give it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from waiting import PATIENCE
from web_client import EXAMPLES, Client, jpeg

from twocet.edit import editor as editors
from twocet.edit.presets import Preset, write_file
from twocet.model.model import new_model, save_model
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.photo.faces import FaceFinder
from twocet.web.pad import principal_directions
from twocet.web.session import Studio


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """A model of few channels with random weights: what it does to faces is nonsense, but nothing for the zero code."""
    torch.manual_seed(0)
    config = NetworkConfig(code_dim=8, generator_widths=(16, 24), trunk_widths=(16, 24))
    networks = build(config)
    generator = networks.generator
    with torch.no_grad():
        generator.flow_head.weight.normal_(0, 0.05)
        # The last gain, 1 - 1 for the zero code, and no paint.
        generator.norm.affine.bias[: generator.norm.affine.out_features // 2] = -1
        generator.norm.affine.bias[generator.norm.affine.out_features // 2 :] = 0
        generator.paint_head.bias[-(generator.shuffle**2) :] = -20
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, new_model(networks, config, {}))
    return path


@pytest.fixture(scope="session")
def studio(model_file):
    editor = editors.load(model_file)
    return Studio(editor.model, editor.name, editor.sha256, FaceFinder(threads=1), {})


@pytest.fixture(scope="session")
def own_presets(model_file, tmp_path_factory):
    """A configuration folder with two presets for the tiny model, on both axes of its pad."""
    editor = editors.load(model_file)
    folder = tmp_path_factory.mktemp("config")
    (folder / "twocet").mkdir()
    found = [
        Preset(name, tuple(map(float, 0.5 * direction)), editor.sha256, "a test", own=True)
        for name, direction in zip(("across", "upward"), principal_directions(editor), strict=True)
    ]
    write_file(folder / "twocet" / "presets.json", found)
    return folder


@pytest.fixture(scope="session")
def address(model_file, own_presets):
    """Where a ``twocet serve`` process listens; ends it as Ctrl-C does, and expects it to end well."""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(own_presets)}
    command = [sys.executable, "-m", "twocet", "serve", "--port", "0", "--model", str(model_file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        line = server.stdout.readline()
        if "http://127.0.0.1:" not in line:
            pytest.fail(f"twocet serve did not start: {line}{server.communicate(timeout=PATIENCE)[1]}")
        yield line.split()[3].rstrip("/")
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=PATIENCE)
    assert (server.returncode, errors) == (0, "")


@pytest.fixture
def client(address):
    """A visitor who leaves, so that the places of the server do not run out."""
    client = Client(address)
    yield client
    client.leave()


@pytest.fixture(scope="session")
def wall():
    """A photo without a face."""
    return jpeg(np.random.default_rng(0).integers(100, 140, (400, 500, 3), np.uint8))


@pytest.fixture(scope="session")
def group():
    """A photo of two people, the smaller one on the left; 1800 x 1100, so that the page works on a smaller copy."""
    left, right = (Image.open(EXAMPLES / f"target-{number}.jpg") for number in (3, 4))
    canvas = Image.new("RGB", (1800, 1100), (90, 95, 100))
    canvas.paste(left.resize((600, 600)), (50, 300))
    canvas.paste(right.resize((1000, 1000)), (750, 50))
    return jpeg(np.array(canvas))

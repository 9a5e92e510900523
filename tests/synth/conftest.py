"""Heads are costly to make: one of each, shared by all tests."""

from __future__ import annotations

import pytest

from twocet.synth import Head, Identity


@pytest.fixture(scope="session")
def head() -> Head:
    return Head(Identity.sample(0))


@pytest.fixture(scope="session")
def other_head() -> Head:
    """Someone of another sex, with other hair."""
    return Head(Identity.sample(1_000_003))

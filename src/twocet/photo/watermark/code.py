"""What the watermark says: 48 bits in six symbols of 8 bits.

========  ====================================================================================================
byte      meaning
========  ====================================================================================================
0         ``0x11``: this format (high four bits, version 1) and product (low four bits, 1 = twocet)
1, 2, 3   the first 24 bits of the SHA-256 of the model file; zeros if the model is no file
4, 5      checksum of bytes 0 to 3: CRC-16/CCITT (polynomial 0x1021, initial value 0xFFFF), high byte first
========  ====================================================================================================

A symbol is one of 128 carriers with one of two signs (a biorthogonal code): bit 7 is the sign, the others the number.
"""

from __future__ import annotations

import binascii
from typing import NamedTuple

import numpy as np

from twocet.runtime.arrays import Floats32

NUM_SYMBOLS = 6
CARRIERS_PER_SYMBOL = 128
HEADER = 0x11
_UNKNOWN = bytes(3)


class Symbol(NamedTuple):
    """One byte of the message."""

    carrier: int
    """0..127."""
    sign: int
    """1 or -1."""


def message_of(model_sha256: str | None) -> bytes:
    """The six bytes for a model, by its hash in hexadecimal digits (None: of no file)."""
    head = bytes([HEADER]) + (bytes.fromhex(model_sha256)[:3] if model_sha256 else _UNKNOWN)
    return head + binascii.crc_hqx(head, 0xFFFF).to_bytes(2, "big")


def model_in(message: bytes) -> str | None:
    """Six hexadecimal digits, the beginning of the model's hash; None if the message names no model."""
    return None if message[1:4] == _UNKNOWN else message[1:4].hex()


def is_message(data: bytes) -> bool:
    """Whether header and checksum fit."""
    return data[0] == HEADER and binascii.crc_hqx(data[:4], 0xFFFF) == int.from_bytes(data[4:], "big")


def symbols_of(message: bytes) -> list[Symbol]:
    """The carriers to be written."""
    return [Symbol(byte & 0x7F, -1 if byte & 0x80 else 1) for byte in message]


def amplitudes_of(message: bytes) -> Floats32:
    """(6, 128) the message's carriers alone: 1 or -1, and 0 for all others."""
    amplitudes = np.zeros((NUM_SYMBOLS, CARRIERS_PER_SYMBOL), np.float32)
    for number, (carrier, sign) in enumerate(symbols_of(message)):
        amplitudes[number, carrier] = sign
    return amplitudes


def decoded(scores: Floats32) -> tuple[bytes, float]:
    """The likeliest message, and the mean score of its symbols after the header.

    ``scores``: (6, 128) correlations with the carriers, in standard deviations.
    """
    chosen = np.abs(scores).argmax(axis=1)
    values = scores[np.arange(len(scores)), chosen]
    message = bytes(int(carrier) | (0x80 if value < 0 else 0) for carrier, value in zip(chosen, values, strict=True))
    return message, float(np.abs(values[1:]).mean())

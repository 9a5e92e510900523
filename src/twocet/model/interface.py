"""What evaluation and comparison need of a model, and how a model with codes offers it.

Everything that transfers expressions is an :class:`ExpressionModel`; what else it can do is said by
:class:`Neutralizes`, :class:`Samples` and :class:`Encodes`, which are tested with ``isinstance``. Measures that need a
missing ability are left out of the report.

All images are float32 (N, 3, size, size) in [-1, 1] on the model's device; outputs may go beyond the range and are
clipped when they become pictures. Row k of every argument belongs to row k of the result, and no row depends on another
one. Nothing keeps gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from twocet.networks.edit import Edit


@runtime_checkable
class ExpressionModel(Protocol):
    """Gives faces the expressions of other faces."""

    @property
    def metadata(self) -> dict[str, Any]:
        """JSON-able: what the model is, what it was trained on, its licence."""
        ...

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        ...

    def transfer(
        self, target: Tensor, reference: Tensor, strength: float = 1.0, label: Sequence[str] | None = None
    ) -> Tensor:
        """The faces of ``target`` with the expressions of ``reference``.

        Args:
            target: (N, 3, S, S) faces, neutral in every measurement.
            reference: (N, 3, S, S) faces of any people.
            strength: 0 is a neutral face, 1 the reference's expression, more exaggerates it; one for all rows. A model
                without strength of its own scales whatever it is conditioned on (action units, style minus neutral).
            label: The references' expression labels as in faces.csv, for models that must be told the domain
                (StarGAN v2). Others do not look at it. A model that needs it raises UserError where it is missing.

        Returns:
            (N, 3, S, S).
        """
        ...


@runtime_checkable
class Neutralizes(Protocol):
    """Removes expressions."""

    def neutralize(self, image: Tensor) -> Tensor:
        """The faces without their expressions: (N, 3, S, S) to (N, 3, S, S)."""
        ...


@runtime_checkable
class Samples(Protocol):
    """Invents expressions."""

    def sample(self, target: Tensor, generator: torch.Generator) -> Tensor:
        """The faces with random expressions, one for each row, drawn with a CPU ``generator``: (N, 3, S, S)."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Has expression codes."""

    def encode(self, image: Tensor) -> Tensor:
        """The expressions of faces as codes: (N, 3, S, S) to (N, d)."""
        ...


class FaceModel(Protocol):
    """A model with codes: see ``twocet.model.model.Model``."""

    @property
    def metadata(self) -> dict[str, Any]: ...

    @property
    def size(self) -> int: ...

    def sample_codes(self, num: int, generator: torch.Generator) -> Tensor: ...

    def encode(self, image: Tensor) -> Tensor: ...

    def generate(self, image: Tensor, code: Tensor, strength: float = 1.0) -> Tensor: ...


class EditingModel(FaceModel, Protocol):
    """A model with codes whose edits can be applied at any resolution."""

    @property
    def code_dim(self) -> int: ...

    @property
    def device(self) -> torch.device: ...

    def edit(self, image: Tensor, code: Tensor, strength: float = 1.0) -> Edit: ...


class CodeModel:
    """A model with codes as an :class:`ExpressionModel` that can also neutralize, sample and encode."""

    def __init__(self, model: FaceModel) -> None:
        self._model = model

    @property
    def metadata(self) -> dict[str, Any]:
        """That of the model."""
        return self._model.metadata

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return self._model.size

    def transfer(
        self, target: Tensor, reference: Tensor, strength: float = 1.0, label: Sequence[str] | None = None
    ) -> Tensor:
        """``generate(target, encode(reference), strength)``; labels are not looked at."""
        return self._model.generate(target, self._model.encode(reference), strength)

    def neutralize(self, image: Tensor) -> Tensor:
        """The faces with the zero code."""
        shape = self._model.sample_codes(len(image), torch.Generator()).shape
        return self._model.generate(image, image.new_zeros(shape))

    def sample(self, target: Tensor, generator: torch.Generator) -> Tensor:
        """The faces with sampled codes."""
        return self._model.generate(target, self._model.sample_codes(len(target), generator).to(target))

    def encode(self, image: Tensor) -> Tensor:
        """The encoder's codes."""
        return self._model.encode(image)


def expression_model(model: ExpressionModel | FaceModel) -> ExpressionModel:
    """``model`` itself, or a model with codes made one."""
    return model if isinstance(model, ExpressionModel) else CodeModel(model)

"""What every system answers with: who did what to whom, when, and how sure we are.

Frames and units: boxes are ``(x1, y1, x2, y2)`` in pixels of the input picture, times are seconds from its first
frame, scores are probabilities. Every value here goes to JSON and back without loss.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Box = tuple[float, float, float, float]


def _probability(value: float, what: str) -> None:
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise ValueError(f"{what} must lie in [0, 1], got {value!r}")


@dataclass(frozen=True, slots=True)
class Entity:
    """One participant of an interaction.

    Args:
        label: class name ("person", "left hand", "cup").
        box: (x1, y1, x2, y2) in pixels, or None where the input has no picture.
        track: identity over time (a body id, a hand index), or None.
        score: detection confidence in [0, 1].
    """

    label: str
    box: Box | None = None
    track: str | None = None
    score: float = 1.0

    def __post_init__(self) -> None:
        _probability(self.score, "Entity.score")
        if self.box is not None and len(self.box) != 4:
            raise ValueError(f"Entity.box must be (x1, y1, x2, y2), got {self.box!r}")

    def to_dict(self) -> dict[str, Any]:
        box = None if self.box is None else list(self.box)
        return {"label": self.label, "box": box, "track": self.track, "score": self.score}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Entity:
        box = value.get("box")
        if box is not None:
            x1, y1, x2, y2 = (float(v) for v in box)
            box = (x1, y1, x2, y2)
        return cls(str(value["label"]), box, value.get("track"), float(value.get("score", 1.0)))


@dataclass(frozen=True, slots=True)
class Interaction:
    """A named relation between two entities over an interval.

    Args:
        label: the interaction's class name, or :data:`NONE_OF_THE_KNOWN`.
        score: probability in [0, 1].
        subject, object: the participants, or None where the system does not tell them apart.
        start, end: seconds, or None where the input has no known frame rate.
        alternatives: runner-up ``(label, score)`` pairs, best first.
    """

    label: str
    score: float
    subject: Entity | None = None
    object: Entity | None = None
    start: float | None = None
    end: float | None = None
    alternatives: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        _probability(self.score, "Interaction.score")
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"Interaction ends ({self.end}) before it starts ({self.start})")

    def to_dict(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "score": self.score,
            "subject": None if self.subject is None else self.subject.to_dict(),
            "object": None if self.object is None else self.object.to_dict(),
            "start": self.start,
            "end": self.end,
            "alternatives": [[label, score] for label, score in self.alternatives],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Interaction:
        subject, object_ = value.get("subject"), value.get("object")
        return cls(
            label=str(value["label"]),
            score=float(value["score"]),
            subject=None if subject is None else Entity.from_dict(subject),
            object=None if object_ is None else Entity.from_dict(object_),
            start=value.get("start"),
            end=value.get("end"),
            alternatives=tuple((str(label), float(score)) for label, score in value.get("alternatives", ())),
        )


NONE_OF_THE_KNOWN = "none of the known interactions"
"""The label of an answer whose best score lies below the model's calibrated threshold."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one input.

    Args:
        input: what was asked about (a path, a clip id).
        interactions: what was found, in order of time and then score.
        model: name of the model that answered.
        notes: what the user should know (out of the training domain, frames replaced, proposals used).
        details: JSON values that only one system has (AGOS's structure, SIL's superpixels).
    """

    input: str
    interactions: tuple[Interaction, ...]
    model: str
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "input": self.input,
            "interactions": [interaction.to_dict() for interaction in self.interactions],
            "model": self.model,
            "notes": list(self.notes),
            "details": dict(self.details),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Prediction:
        return cls(
            input=str(value["input"]),
            interactions=tuple(Interaction.from_dict(item) for item in value["interactions"]),
            model=str(value["model"]),
            notes=tuple(str(note) for note in value.get("notes", ())),
            details=dict(value.get("details", {})),
        )

    def to_json(self, indent: int | None = None) -> str:
        """JSON text; one line unless ``indent`` is given."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> Prediction:
        return cls.from_dict(json.loads(text))

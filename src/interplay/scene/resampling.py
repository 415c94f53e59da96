"""BGNN's bi-level resampling: rare predicates' images come more often, frequent predicates' relations are dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

DROPPED = -1
"""Label of a relation that an access has dropped."""


def predicate_counts(relations: Sequence[Integers], predicates: int) -> Integers:
    """(P,) rows of each predicate over the training images, background 0."""
    counts = np.zeros(predicates, np.int64)
    for rows in relations:
        counts += np.bincount(rows[:, 2], minlength=predicates)
    return counts


def repeat_factors(counts: Integers, threshold: float) -> Floats:
    """(P,) ``r_c = max(1, √(t / f_c))``, f_c the share of predicate c among all relations; r_0 = 1.

    A predicate that never occurs gets √(t · 10¹¹), as in the released code; no image has it, so nothing comes of it.

    Args:
        counts: (P,) relations per predicate; that of the background is ignored.
        threshold: t.
    """
    foreground = counts.astype(np.float64)
    foreground[0] = 0
    share = foreground / max(foreground.sum(), 1) + 1e-11
    factors = np.maximum(1.0, np.sqrt(threshold / share))
    factors[0] = 1
    return np.asarray(factors)


def rounded_at_random(factors: Floats, draws: Floats) -> Integers:
    """Whole factors: the fraction is the probability of rounding up (up where draw < fraction).

    Args:
        factors: (P,) real factors.
        draws: (P,) uniform in [0, 1).
    """
    whole = np.floor(factors)
    return (whole + (draws < factors - whole)).astype(np.int64)


def image_repeats(relations: Sequence[Integers], factors: Integers) -> Integers:
    """(images,) ``r_I = max over the image's predicates of r_c``; 1 for an image without relations."""
    return np.array([factors[rows[:, 2]].max(initial=1) for rows in relations], np.int64)


def drop_probability(factor: Integers, repeats: Integers | int, strength: float) -> Floats:
    """``clip((1 − r_c / r_I) γ_d, 0, 1)``: the image comes r_I times for its rarest predicate, others come too often.

    Args:
        factor: r_c of each relation.
        repeats: r_I of its image.
        strength: γ_d.
    """
    return np.asarray(np.clip((1 - factor / np.asarray(repeats)) * strength, 0, 1))


@dataclass(frozen=True, eq=False)
class BilevelResampling:
    """Image-level repeats and instance-level drops (BGNN §3.5; spec §B.6; oracle I.8).

    Args:
        factors: (P,) whole r_c, rounded once per training.
        repeats: (images,) r_I.
        strength: γ_d: 0.9 (VG, SGGen), 0.85 (Open Images), 1.6 (VG, PredCls and SGCls); 0 repeats images only ("lvis").

    Whether a dropped relation is left out of the loss or serves as background is the pair sampler's choice
    (:class:`interplay.scene.sampling.PairSampling`).
    """

    factors: Integers
    repeats: Integers
    strength: float = 0.9

    def __post_init__(self) -> None:
        if self.strength < 0:
            raise ValueError(f"strength: found {self.strength}, expected 0 or more")

    @classmethod
    def of(
        cls,
        relations: Sequence[Integers],
        predicates: int,
        *,
        threshold: float = 0.1,
        strength: float = 0.9,
        seed: int = 0,
    ) -> BilevelResampling:
        """Plan for training images.

        Args:
            relations: (Q, 3) rows (subject, object, predicate) of each training image.
            predicates: P with the background.
            threshold: t: 0.1 (VG SGGen, Open Images) or 0.13 (VG PredCls and SGCls).
            strength: see the class.
            seed: of the rounding.
        """
        if threshold < 0:
            raise ValueError(f"threshold: found {threshold}, expected 0 or more")
        real = repeat_factors(predicate_counts(relations, predicates), threshold)
        factors = rounded_at_random(real, np.random.default_rng(seed).random(len(real)))
        return cls(factors, image_repeats(relations, factors), strength)

    def indices(self) -> Integers:
        """Every image r_I times, in order; to be shuffled by the loader's sampler."""
        return np.repeat(np.arange(len(self.repeats)), self.repeats)

    def thinned(self, image: int, relations: Integers, random: np.random.Generator) -> Integers:
        """The relations of one access; dropped ones have predicate −1. Nothing is drawn where r_I = 1.

        The rows given are not changed.
        """
        if self.repeats[image] <= 1 or not len(relations):
            return relations
        probability = drop_probability(self.factors[relations[:, 2]], int(self.repeats[image]), self.strength)
        thinned = relations.copy()
        thinned[random.random(len(relations)) < probability, 2] = DROPPED
        return thinned

"""How far a measured number may be from what it stands for: Wilson and bootstrap intervals, mean ± deviation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its confidence interval [low, high], and the number of samples behind it.

    ``low`` and ``high`` are NaN (null in JSON) for a number that is given without an interval.
    """

    value: float
    low: float
    high: float
    count: int

    def to_dict(self) -> dict[str, float | int | None]:
        low, high = (None if math.isnan(bound) else bound for bound in (self.low, self.high))
        return {"value": self.value, "low": low, "high": high, "count": self.count}

    def percent(self) -> str:
        """``"95.1 % (91.0–97.4)"``: for proportions."""
        interval = "" if math.isnan(self.low) else f" ({100 * self.low:.1f}–{100 * self.high:.1f})"
        return f"{100 * self.value:.1f} %{interval}"

    def plain(self) -> str:
        """``"0.693 (0.671–0.712)"``: for everything else."""
        interval = "" if math.isnan(self.low) else f" ({self.low:.3f}–{self.high:.3f})"
        return f"{self.value:.3f}{interval}"


def wilson(successes: int, count: int, confidence: float = 0.95) -> Estimate:
    """A proportion with Wilson's score interval, which keeps its coverage near 0 and 1 and for few samples.

    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n), with z the normal quantile (Wilson, JASA 1927).

    Raises:
        ValueError: no sample, or more successes than samples.
    """
    if count < 1 or not 0 <= successes <= count:
        raise ValueError(f"a proportion needs 0 ≤ successes ≤ count and a sample, got {successes} of {count}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / count
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    # At the ends the interval touches 0 or 1 exactly; rounding must not push it across its own value.
    low = 0.0 if successes == 0 else min((middle - half) / scale, share)
    high = 1.0 if successes == count else max((middle + half) / scale, share)
    return Estimate(share, low, high, count)


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    count: int,
    seed: int = 0,
    resamples: int = 1000,
    confidence: float = 0.95,
    sources: NDArray[np.int64] | None = None,
) -> Estimate:
    """A statistic with its percentile-bootstrap interval (Efron 1979); the same seed gives the same interval.

    Args:
        statistic: of the samples at some indices (int64, with repetitions) → a number.
        count: number of samples. With one sample the interval is the value itself.
        sources: (count,) where each sample comes from, 0 to S − 1: whole sources are then drawn (cluster bootstrap), as
            samples of one source do not vary on their own.

    Raises:
        ValueError: no sample, or fewer than two resamples.
    """
    if count < 1 or resamples < 2:
        raise ValueError(f"bootstrap needs a sample and at least two resamples, got {count} and {resamples}")
    generator = np.random.default_rng(seed)
    value = float(statistic(np.arange(count)))

    def single() -> NDArray[np.int64]:
        return generator.integers(0, count, count)

    draw = single if sources is None else _whole_sources(sources, generator)
    values = [float(statistic(draw())) for _ in range(resamples)]
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(low), float(high), count)


def _whole_sources(sources: NDArray[np.int64], generator: np.random.Generator) -> Callable[[], NDArray[np.int64]]:
    """Draws of all samples of as many sources, with repetitions, as there are."""
    sizes = np.bincount(sources)
    starts = np.cumsum(sizes) - sizes
    order = np.argsort(sources, kind="stable").astype(np.int64)

    def draw() -> NDArray[np.int64]:
        drawn = generator.integers(0, len(sizes), len(sizes))
        lengths = sizes[drawn]
        first = np.repeat(starts[drawn] - (np.cumsum(lengths) - lengths), lengths)
        return order[first + np.arange(len(first))]

    return draw


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and sample deviation (n − 1) over repetitions: seeds or folds. One repetition has no deviation: NaN."""

    mean: float
    deviation: float
    values: tuple[float, ...]

    def to_dict(self) -> dict[str, float | list[float] | None]:
        deviation = None if math.isnan(self.deviation) else self.deviation
        return {"mean": self.mean, "deviation": deviation, "values": list(self.values)}

    def percent(self) -> str:
        """``"95.1 ± 0.4 %"``, or ``"95.1 %"`` for one repetition."""
        if math.isnan(self.deviation):
            return f"{100 * self.mean:.1f} %"
        return f"{100 * self.mean:.1f} ± {100 * self.deviation:.1f} %"


def spread(values: Sequence[float]) -> Spread:
    """Mean ± deviation of at least one value."""
    if not values:
        raise ValueError("mean and deviation of no value")
    numbers = np.asarray(values, dtype=np.float64)
    deviation = float(numbers.std(ddof=1)) if len(numbers) > 1 else math.nan
    return Spread(float(numbers.mean()), deviation, tuple(float(value) for value in numbers))

"""Have several random walks forgotten where they began? Split R-hat and effective sample size.

Both as in Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021): chains are split in halves, values replaced by
normal scores of their ranks, and R-hat is the larger one of these and of the distances from the median.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.stats import norm, rankdata

Floats = NDArray[np.float64]

MOST_RHAT = 1.01  # Vehtari et al. 2021, section 4
LEAST_PER_CHAIN = 100.0


def rhat(draws: Floats) -> float:
    """Rank-normalised split R-hat of chains × draws: 1 when all chains tell the same; nan below 4 draws a chain.

    >>> import numpy as np
    >>> still = np.random.default_rng(0).normal(size=(4, 1000))
    >>> abs(rhat(still) - 1) < 0.01, rhat(still + np.arange(4)[:, None]) > 1.5
    (True, True)
    """
    halves = _split(draws)
    if halves.shape[1] < 2:
        return float("nan")
    if (halves == halves.flat[0]).all():
        return 1.0
    folded = np.abs(halves - np.median(halves))
    return max(_plain(_scores(halves)), _plain(_scores(folded)))


def ess(draws: Floats) -> float:
    """Bulk effective sample size of chains × draws: how many independent draws tell as much about the middle."""
    halves = _split(draws)
    if halves.shape[1] < 2:
        return float("nan")
    if (halves == halves.flat[0]).all():
        return float(halves.size)
    return _effective(_scores(halves))


def mixed(rhat_: float, ess_: float, chains: int) -> bool:
    """Whether the walks may be trusted by the usual rule: R-hat at most 1.01 and at least 100 effective draws a chain."""
    return bool(rhat_ <= MOST_RHAT and ess_ >= LEAST_PER_CHAIN * chains)


def _split(draws: Floats) -> Floats:
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, draws.shape[1] - half :]])


def _scores(draws: Floats) -> Floats:
    """Normal scores of ranks over all chains, ties sharing their rank (Blom 1958)."""
    rank = rankdata(draws, axis=None).reshape(draws.shape)
    return np.asarray(norm.ppf((rank - 0.375) / (draws.size + 0.25)), dtype=np.float64)


def _plain(draws: Floats) -> float:
    """R-hat of the values as they are (Gelman and Rubin 1992)."""
    n = draws.shape[1]
    within = draws.var(axis=1, ddof=1).mean()
    between = n * draws.mean(axis=1).var(ddof=1)
    if within <= 0:
        return 1.0 if between <= 0 else float("inf")
    return float(np.sqrt((between / within + n - 1) / n))


def _effective(draws: Floats) -> float:
    """Draws over autocorrelation time, summed over pairs while they are positive and falling (Geyer 1992)."""
    m, n = draws.shape
    covariance = _autocovariance(draws)
    within = covariance[:, 0].mean() * n / (n - 1)
    total = within * (n - 1) / n + (draws.mean(axis=1).var(ddof=1) if m > 1 else 0.0)
    if total <= 0:
        return float(m * n)
    rho = 1 - (within - covariance.mean(axis=0) * n / (n - 1)) / total
    rho[0] = 1.0
    pairs = rho[: 2 * (n // 2)].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = np.minimum.accumulate(pairs[: negative[0] if len(negative) else len(pairs)])
    time = max(-1 + 2 * float(pairs.sum()), 1 / np.log10(m * n))
    return float(m * n / time)


def _autocovariance(draws: Floats) -> Floats:
    n = draws.shape[1]
    size = next_fast_len(2 * n)
    spectrum = rfft(draws - draws.mean(axis=1, keepdims=True), size, axis=1)
    return np.asarray(irfft(np.abs(spectrum) ** 2, size, axis=1)[:, :n] / n, dtype=np.float64)

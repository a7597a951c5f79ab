"""Drift: whether the films of now are like those of a reference, figure by figure.

Scores and measures of films are compared by the population stability index and by the test of Kolmogorov and Smirnov,
shares of films by Fisher's exact test.
"""

from types import ModuleType

import numpy as np

from pneumo.errors import require_package

# The reference is cut into so many parts of equal size.
BINS = 10
# A shift of a score that is commonly called large (Siddiqi 2006, Credit Risk Scorecards).
LARGE_PSI = 0.25


def tenths(reference: np.ndarray, films: np.ndarray) -> np.ndarray:
    """Return the share of films in each tenth of a reference, (`BINS`,) float64; fewer where its values repeat.

    Args:
        reference: (films,) values whose deciles are the edges of the tenths.
        films: (films,) values to be counted.
    """
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1]))
    counts = np.bincount(np.searchsorted(edges, films, side="right"), minlength=len(edges) + 1)
    # Half a film in each keeps the index finite where one has none.
    return (counts + 0.5) / (len(films) + 0.5 * len(counts))


def population_stability(reference: np.ndarray, films: np.ndarray) -> float:
    """Return the population stability index: the symmetric Kullback-Leibler divergence over tenths of the reference.

    Args:
        reference: (films,) values.
        films: (films,) values to be compared with them.
    """
    expected, found = tenths(reference, reference), tenths(reference, films)
    return float(((found - expected) * np.log(found / expected)).sum())


def stability_limit(reference: int, films: int, p_value: float) -> float:
    """Return the population stability index above which films are taken for other than the reference.

    By chance alone the index is a chi-square with `BINS` - 1 degrees of freedom, times the sum of one over either
    number of films (Yurdakul and Naranjo 2020, doi:10.21314/JRMV.2020.227). The limit is never below `LARGE_PSI`.

    Args:
        reference: number of films.
        films: number of films.
        p_value: how often chance may exceed the limit, 0…1.
    """
    return max(LARGE_PSI, float(_stats().chi2.isf(p_value, BINS - 1)) * (1 / reference + 1 / films))


def kolmogorov_smirnov(reference: np.ndarray, films: np.ndarray) -> float:
    """Return the greatest distance of two cumulative distributions, 0…1."""
    return float(_stats().ks_2samp(reference, films, method="asymp").statistic)


def distance_limit(reference: int, films: int, p_value: float) -> float:
    """Return the distance of Kolmogorov and Smirnov above which films are taken for other than the reference.

    Args:
        reference: number of films.
        films: number of films.
        p_value: how often chance may exceed the limit, 0…1.
    """
    return float(_stats().kstwobign.isf(p_value)) * (1 / reference + 1 / films) ** 0.5


def share_difference(reference: tuple[int, int], films: tuple[int, int]) -> float:
    """Return the p value of no difference of two shares, 0…1, by Fisher's exact test.

    Args:
        reference: films of a kind, and all films.
        films: likewise.
    """
    table = np.array([(some, total - some) for some, total in (reference, films)])
    return float(_stats().fisher_exact(table).pvalue)


def _stats() -> ModuleType:
    require_package("scipy")
    from scipy import stats

    return stats

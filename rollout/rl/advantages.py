"""Generalised advantage estimation over a batch of simulations.

Legend: T steps, E simulations.
"""

import numpy as np


def generalised_advantages(
    rewards: np.ndarray,
    values: np.ndarray,
    next_values: np.ndarray,
    done: np.ndarray,
    gamma: float,
    lam: float,
) -> np.ndarray:
    """Advantages (T, E) by GAE(λ) (Schulman et al. 2016, eq. 16).

    Args:
        rewards: (T, E).
        values: (T, E), V(s_t).
        next_values: (T, E), the value that step t bootstraps from: V(s_{t+1}), 0 where the episode terminated, and
            the value of the last state of the *same* episode where it was truncated.
        done: (T, E) bool, terminated or truncated: no advantage flows back over it.
        gamma: discount γ.
        lam: λ.
    """
    delta = rewards + gamma * next_values - values
    decay = gamma * lam * ~done
    advantages: np.ndarray = np.empty_like(delta)
    running = np.zeros(delta.shape[1], delta.dtype)
    for t in range(len(delta) - 1, -1, -1):
        running = delta[t] + decay[t] * running
        advantages[t] = running
    return advantages

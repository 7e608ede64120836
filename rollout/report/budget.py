"""How long the arms were trained, as their metrics say."""

from collections.abc import Sequence

from trunkline.rollout.report.metrics import Log


def environment_steps(logs: Sequence[Log], arm: str) -> list[float]:
    """The last `env_steps` of every seed of an arm that logs them."""
    series = [log.series("env_steps")[1] for log in logs if log.stage == arm]
    return [float(steps[-1]) for steps in series if len(steps)]


def same_budget(logs: Sequence[Log], a: str, b: str) -> bool | None:
    """Whether two arms' environment steps agree within 5%; None if the logs do not tell."""
    of_a, of_b = environment_steps(logs, a), environment_steps(logs, b)
    if not of_a or not of_b:
        return None
    return max(of_a + of_b) <= 1.05 * min(of_a + of_b)

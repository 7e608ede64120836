"""What an agent learns from recorded episodes; one module an objective."""

from trunkline.pretrain.objectives.base import Objective, broken, make_objective, names, objective

__all__ = ["Objective", "broken", "make_objective", "names", "objective"]

"""Heads, one module each: features (B, D) to a distribution over actions, a value, a prediction."""

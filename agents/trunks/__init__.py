"""Trunks, one module each: the tokens of all sensors (B, N, D) to tokens, and to features (B, D)."""

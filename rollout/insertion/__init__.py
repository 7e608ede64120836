"""The insertion benchmark: what a pretrained sense of touch is worth to a policy that must act on it."""

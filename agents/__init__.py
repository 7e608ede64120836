"""What learns and acts: encoders of sensors, one shared trunk, heads, and their checkpoints."""

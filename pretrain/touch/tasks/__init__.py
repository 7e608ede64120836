"""Touch tasks, one module each."""

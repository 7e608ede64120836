"""Learning from recorded episodes: objectives, multi-task sampling, optimisation."""

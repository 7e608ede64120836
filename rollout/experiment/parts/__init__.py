"""Parts of an experiment besides the transfer of policies; each module registers one with `@part(name)`."""

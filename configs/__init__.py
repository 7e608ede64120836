"""YAML that selects and overrides; the typed schemas sit beside the classes they build."""

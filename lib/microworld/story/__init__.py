"""Stories: a town whose state changes with each deed that is told."""

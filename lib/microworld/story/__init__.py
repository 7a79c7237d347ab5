"""Stories: a town whose state changes with each deed in the text."""

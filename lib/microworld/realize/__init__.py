"""Turns events into text: one file for each language."""

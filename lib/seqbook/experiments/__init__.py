"""Measurements for the claims of the chapters. Chapters and published sweeps call the same functions."""

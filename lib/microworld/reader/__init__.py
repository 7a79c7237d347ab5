"""Reads a story: are its sentences grammatical, and do they agree with the sentences before them?"""

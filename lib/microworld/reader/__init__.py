"""Reads a story back: are its sentences grammatical, and do they agree with what was told before?"""

"""Grading a folder of submissions, proving the tests of the assignments, and packing a course: see book/instructors.md.

PYTHONPATH=tools python -m course grade rnn_seq2seq downloads graded
"""

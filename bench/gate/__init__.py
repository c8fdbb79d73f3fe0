"""The performance gate: base and head against each other, and a verdict whose false-alarm rate is stated.

``judge`` turns the figures of passes into verdicts and decides what is measured next; it knows no clock, process or
file, so the replayed proof runs the very code that live gates run.
"""

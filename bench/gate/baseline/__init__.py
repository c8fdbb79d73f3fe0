"""Stored baselines: small text files that can be committed, and what a later run is worth beside one."""

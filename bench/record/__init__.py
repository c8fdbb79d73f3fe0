"""Rows ↔ disk ↔ frames: what was measured is on disk before the next visit starts.

In the order of the data's way:

- ``durable``: files that are whole or not there, and the error for those that are neither
- ``journal``: one line a record, on disk when ``append`` returns
- ``rundir``: the layout of a run directory, ``run.json`` and the lock
- ``frames``: rows to Parquet, Parquet to pandas (the only module here that imports pandas)

The last three use ``durable``, and ``frames`` the names that ``rundir`` gives to files; else they are strangers.
"""

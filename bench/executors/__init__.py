"""Where visits run.

In order: ``base`` (what an executor can do), ``local`` (on this machine: a zygote and its workers), ``selection``
(which rows of the plugin table take part).
"""

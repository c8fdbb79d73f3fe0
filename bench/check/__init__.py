"""The conformance suite: what every implementation owes, and what the best of them keep.

In the data's way: ``laws`` (what is judged, how strictly), ``case`` (one call to be judged), ``cases`` (all of them),
``run`` (the driver: which case on which worker), ``tally`` (what the answers come to). In a worker: ``conform``
(one case on one row), with ``given`` (tensors), ``expected`` (truth and tolerance), ``calls`` (the row's call),
``judge`` (an output against the truth) and ``acts`` (what needs more than one call).
"""

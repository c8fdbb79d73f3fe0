"""The tutorial's experiment: a small network trained with each normalization, and a training step's time with each.

In the data's way: ``norms`` (the axis's words), ``asked`` (what was asked), ``extras`` (packages it needs), ``idx`` and
``data`` (real digits), ``splits`` (who trains, validates and tests), ``plan`` (points to train, in order), ``records``
and ``store`` (Optuna's storage on disk: the one truth), ``crew`` (worker processes), ``timing`` (a step's time, apart),
``going`` (ready points to idle workers), ``rows`` (what became of the points), ``folder`` (where they go), ``facts``
(``study.json``), ``pages`` (the report), ``trackers``, ``study`` (the way on one page), and ``steps`` (bigger networks:
steps only), with ``usable`` (which implementations can be trained with). These import neither torch nor ``kernels``.

On the other side, only ever started: ``worker``, with ``train`` (one point), ``clocked`` (steps in alternating rounds),
``layers``, ``network``, ``resnet`` and ``unet`` (what is trained).

After the trials: ``compared`` (which rows may be compared, and their pairs), ``claim`` (a record), ``claims`` and
``swaps`` (questions, with ``sentences`` for answers) and ``importance`` (which setting matters); pure on the frame of
trials.
"""

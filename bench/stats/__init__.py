"""Numbers to numbers; pure: numpy and ``scipy.special``, no clock, file or device.

Each uses only those before it: ``intervals`` (means and their intervals), ``trend`` (rising or falling),
``drift`` (outliers, spreads, memory),
``paired`` (the figures of a pass, speed-ups paired by round), ``stopping`` (is a block done) and ``resampled``
(differences over seeds and folds).

What too few values cannot tell is None, never NaN or infinity. ``scipy.stats`` is left alone: its import takes
longer than everything else that a run's driver needs.
"""

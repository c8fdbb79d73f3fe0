"""One kind of document a file.

``html``, ``markdown`` and ``latex`` write a ``Document``; ``tabular`` writes a frame as CSV and JSON;
``terminal`` makes rich renderables of a frame.
"""

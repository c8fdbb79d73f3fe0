"""A ground floor of groupnorm-bench: frames in, pictures and pages out.

Knows neither ``kernels`` nor ``bench`` and computes no statistics.

In the order of the data's way: ``schema`` (the frames' columns), ``intake`` (checks a frame against them),
``views`` and ``slices`` (checked frame to small frames, each the answer to one of a reader's questions),
``sentences`` and ``findings`` (views to words), ``machine`` (``run.json`` to words), ``tables`` (views to tables of
text), ``figures`` (a view to a picture), ``document``, ``sections`` and ``compose`` (what a report says, whatever its
form), ``forms`` (a document to HTML, Markdown, LaTeX; frames to CSV, JSON; renderables for a terminal), ``render``
(the whole way). ``quantities`` and ``style`` give all of them the same units, labels, colours and markers.
"""

"""Frames in, pictures and pages out. Knows neither ``kernels`` nor ``bench`` and computes no statistics.

In the order of the data's way: ``schema`` (the frames' columns), ``intake`` (checks a frame against them),
``views`` and ``slices`` (checked frame to small frames, each the answer to one of a reader's questions),
``sentences`` and ``findings`` (views to words), ``tables`` (views to tables of text), ``sections`` and
``document`` (what a report says, whatever its form), ``figures`` (a view to a picture), ``forms``
(a document to HTML, Markdown, LaTeX; frames to CSV, JSON; renderables for a terminal), ``render`` (the whole way).
``quantities`` and ``style`` give every one of them the same units, labels, colours and markers.
"""

"""The end of a block as the worker makes it, without a worker."""


def closed(block):
    """Give who changed the inputs, and how that was seen."""
    found = {name: wrong for name in block.suspects() if (wrong := block.changed_by(name))}
    return found or block.unexplained()

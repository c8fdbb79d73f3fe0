"""One function a section: ``pictured`` (those with a picture) and ``facts`` (tables and commands alone)."""

"""``python -m bench`` is the same command as ``gnbench``."""

from __future__ import annotations

from gnbench import main

if __name__ == "__main__":
    main()

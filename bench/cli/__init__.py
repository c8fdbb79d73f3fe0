"""One command a file: declare, convert, call, show.

In order: ``app`` (the command and what becomes of errors), ``options`` (every option, declared once), ``show``
(tables and progress), then the commands. A command file imports its libraries inside its function, so that
``gnbench --help`` stays quick: the whole of ``bench.cli.app`` loads neither torch nor pandas.
"""

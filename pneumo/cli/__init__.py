"""The command line: ``python -m pneumo …``, and ``pneumo …`` where the package is installed."""

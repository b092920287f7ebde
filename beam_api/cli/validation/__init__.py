"""`beam batch` and `beam compare`: many recordings, their references, and the report about both.

The figures are those of `rppg_core.validation`; this room reads files, runs processes and draws.
"""

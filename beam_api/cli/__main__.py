"""`python -m beam_api.cli`, for where the package is not installed."""

from beam_api.cli import main

main(prog_name="beam")

"""What the pages show: templates, styles, scripts, and the words that are also in the code."""

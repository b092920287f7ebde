"""The web pages: templates, static files and the published examples."""

"""The documentation in docs/, as pages of the service. The same files are a site of their own by mkdocs.yml."""

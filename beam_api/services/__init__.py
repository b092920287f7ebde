"""Use cases: what the service does with a request or a job, without Flask and without Redis commands."""

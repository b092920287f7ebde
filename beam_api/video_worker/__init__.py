"""The process that analyses videos: an RQ worker and its jobs."""

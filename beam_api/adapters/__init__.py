"""Everything else outside the process: files, the job queue, ffmpeg, and receivers of webhooks."""

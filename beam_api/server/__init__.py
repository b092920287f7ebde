"""The processes that `beam serve` starts and supervises: web, video worker and embedded Redis."""

"""HTTP: everything that knows Flask. It decodes requests, calls a service, and encodes the answer."""

"""Measure whole videos: a session, from its creation to its webhooks."""

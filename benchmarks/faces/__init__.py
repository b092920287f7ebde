"""Real faces, moved by recorded heads, over whose skin a pulse with known beats is laid."""

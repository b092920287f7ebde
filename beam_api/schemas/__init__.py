"""What requests and responses look like. The OpenAPI document comes from here."""

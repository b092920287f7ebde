"""Routes: decode the request, call one service, encode the answer. No decision is taken here."""

"""One blueprint per page of the contract: decode, call, encode."""

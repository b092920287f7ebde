"""Bytes to RGB pictures: JPEG, PNG and video decoding."""

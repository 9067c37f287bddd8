"""Teaches the fuzzer to send documents as lines of JSON."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    return value if isinstance(value, bytes) else (json.dumps(value, default=str) + "\n").encode()

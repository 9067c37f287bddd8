//! What a number is. No I/O, no async, nothing of ours below it.

"""The server side of Triptych: engine, sessions, serving and the pure functions behind the Triton models."""

"""Give every plausible reading of a request path."""


def readings(raw_path: bytes) -> tuple[str, ...]:
    raise NotImplementedError

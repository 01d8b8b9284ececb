"""Self-signed certificates for tests, by the openssl command."""

import world


def make(folder, *names):
    """(key file, certificate file) for these DNS names and addresses; it is its own authority."""
    key, certificate = folder / "tls.key", folder / "tls.crt"
    alternatives = ",".join(f"{'IP' if name.replace('.', '').isdigit() else 'DNS'}:{name}" for name in names)
    made = world.run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}", "-keyout", key, "-out", certificate,
    )  # fmt: skip
    if made.status:
        raise AssertionError(f"no certificate: {made}")
    return key, certificate

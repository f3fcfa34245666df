"""PEM files that the settings name are tried while the settings are read."""

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.settings.files import file_mistakes
from tests.support.certificates import make_authority


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """An authority's files, another one's, and files that hold something else."""
    folder = tmp_path_factory.mktemp("pem")
    (folder / "other").mkdir()
    files = make_authority(folder)
    (folder / "text").write_text("no certificate\n")
    key = load_pem_private_key(files.key.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
    (folder / "locked").write_bytes(locked)
    return {
        "ca": files.ca_file,
        "certificate": files.certificate,
        "key": files.key,
        "other key": make_authority(folder / "other").key,
        "text": folder / "text",
        "locked": folder / "locked",
        "folder": folder,
        "absent": folder / "absent",
    }


def found(pem, **tls: str) -> list[tuple[str, str]]:
    """What is said of an upstream's `tls` that names these files."""
    section = {key: str(pem[name]) for key, name in tls.items()}
    findings = list(file_mistakes({"provider": "odd", "upstreams": ["odd", {"tls": section}]}))
    assert all(finding.path[:-1] == ("upstreams", 1, "tls") for finding in findings)
    return [(str(finding.path[-1]), finding.message) for finding in findings]


def test_good_files_are_not_mentioned(pem):
    """An authority, a certificate and its key; none at all."""
    assert found(pem, ca_file="ca", certificate="certificate", key="key") == []
    assert found(pem) == []


UNUSABLE = "cannot be used: certificate and key must be in PEM form, the key without a passphrase"


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ({"ca_file": "absent"}, ("ca_file", "cannot be read: No such file or directory")),
        ({"ca_file": "folder"}, ("ca_file", "cannot be read: Is a directory")),
        ({"ca_file": "text"}, ("ca_file", "holds no certificate in PEM form")),
        ({"certificate": "certificate", "key": "absent"}, ("key", "cannot be read: No such file or directory")),
        ({"certificate": "certificate", "key": "other key"}, ("key", "is not the key of the certificate")),
        ({"certificate": "text", "key": "key"}, ("certificate", UNUSABLE)),
        ({"certificate": "certificate"}, ("certificate", UNUSABLE)),
        ({"certificate": "certificate", "key": "locked"}, ("certificate", UNUSABLE)),
    ],
)
def test_files_that_cannot_be_used(tls, said, pem):
    """Each is one sentence at its key; nothing asks for a passphrase at the terminal."""
    assert found(pem, **tls) == [said]


def test_the_providers_authorities(pem):
    """`provider.ca_file` is tried too, and a name that cannot be one is no traceback."""
    (mistake,) = file_mistakes({"provider": {"ca_file": str(pem["text"])}})
    assert (mistake.path, mistake.message) == (("provider", "ca_file"), "holds no certificate in PEM form")
    (mistake,) = file_mistakes({"provider": {"ca_file": "a\0b"}})
    assert mistake.message == "cannot be read: not a file name"

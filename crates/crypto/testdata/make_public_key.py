#!/usr/bin/env python3
"""Makes `public_key.json`: the tags and signatures of RFC 2202, 4231, 8032 and 6979, and keys and certificates that are
made anew with the package `cryptography` (OpenSSL). Independent of the program. Run: `python3 make_public_key.py`."""

import datetime
import hashlib
import hmac
import json
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.x509.oid import NameOID

DER, PEM, RAW = serialization.Encoding.DER, serialization.Encoding.PEM, serialization.Encoding.Raw
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
UTC = datetime.timezone.utc

JEFE = (b"Jefe", b"what do ya want for nothing?")
TAGS = [
    ("RFC 2202 SHA-1 case 1", "sha1", b"\x0b" * 20, b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
    ("RFC 2202 SHA-1 case 2", "sha1", *JEFE, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    ("RFC 2202 SHA-1 case 6", "sha1", b"\xaa" * 80, b"Test Using Larger Than Block-Size Key - Hash Key First",
     "aa4ae5e15272d00e95705637ce8a3b55ed402112"),
    ("RFC 4231 SHA-256 case 2", "sha256", *JEFE, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ("RFC 4231 SHA-512 case 1", "sha512", b"\x0b" * 20, b"Hi There",
     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c20"
     "3a126854"),
    ("RFC 4231 SHA-512 case 2", "sha512", *JEFE,
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a"
     "38bce737"),
]
for name, hashed, key, data, tag in TAGS:
    assert hmac.new(key, data, hashed).hexdigest() == tag, name

ED = [
    ("RFC 8032 section 7.1 test 1", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438"
     "e7a100b"),
    ("RFC 8032 section 7.1 test 2", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612"
     "bb0c00"),
    ("RFC 8032 section 7.1 test 3", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea"
     "1ec40a"),
]
signatures = [{"name": name, "algorithm": "ed25519", "key": key, "message": message, "signature": signature}
              for name, key, message, signature in ED]
POINT = ("0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3"
         "C294D4462299").lower()
for text, r, s in [
    ("sample", 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
     0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8),
    ("test", 0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
     0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083),
]:
    signatures.append({"name": f"RFC 6979 A.2.5 {text}", "algorithm": "ecdsaP256Sha256", "key": POINT,
                       "message": text.encode().hex(), "signature": utils.encode_dss_signature(r, s).hex()})

keys, certificates, refused = [], [], []


def certificate(name, algorithm, key, raw, first, last):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.com")])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).serial_number(7).public_key(key.public_key())
    builder = builder.not_valid_before(first).not_valid_after(last)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("example.com")]), critical=False)
    made = builder.sign(key, hashes.SHA256())
    certificates.append({"name": name, "algorithm": algorithm, "key": raw.hex(), "pem": made.public_bytes(PEM).decode(),
                         "der": made.public_bytes(DER).hex(), "notBefore": int(first.timestamp()),
                         "notAfter": int(last.timestamp())})


for bits in [2048, 4096]:
    key = rsa.generate_private_key(65537, bits)
    raw = key.public_key().public_bytes(DER, serialization.PublicFormat.PKCS1)
    public = key.public_key()
    keys.append({"name": f"RSA {bits}", "algorithm": "rsaSha256", "raw": raw.hex(),
                 "spki": public.public_bytes(DER, SPKI).hex(), "pem": public.public_bytes(PEM, SPKI).decode()})
    for algorithm, digest in [("rsaSha1", hashes.SHA1()), ("rsaSha256", hashes.SHA256())]:
        signatures.append({"name": f"OpenSSL {algorithm} {bits}", "algorithm": algorithm, "key": raw.hex(),
                           "message": b"a message".hex(),
                           "signature": key.sign(b"a message", padding.PKCS1v15(), digest).hex()})
    if bits == 2048:
        certificate("with two-digit years", "rsaSha256", key, raw, datetime.datetime(2016, 2, 29, 23, 59, 58, tzinfo=UTC),
                    datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC))
        certificate("with four-digit years", "rsaSha256", key, raw, datetime.datetime(1999, 3, 1, tzinfo=UTC),
                    datetime.datetime(2100, 3, 1, 0, 0, 1, tzinfo=UTC))
small = rsa.generate_private_key(65537, 1024).public_key()
refused.append({"name": "RSA of 1024 bits", "algorithm": "rsaSha256", "key": small.public_bytes(DER, SPKI).hex()})

key = ec.generate_private_key(ec.SECP256R1())
public = key.public_key()
raw = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
keys.append({"name": "P-256", "algorithm": "ecdsaP256Sha256", "raw": raw.hex(), "spki": public.public_bytes(DER, SPKI).hex(),
             "pem": public.public_bytes(PEM, SPKI).decode()})
certificate("of P-256", "ecdsaP256Sha256", key, raw, datetime.datetime(1970, 1, 1, tzinfo=UTC),
            datetime.datetime(2000, 2, 29, 12, 0, 0, tzinfo=UTC))
compressed = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
refused.append({"name": "a compressed point", "algorithm": "ecdsaP256Sha256", "key": compressed.hex()})
p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
refused.append({"name": "P-384", "algorithm": "ecdsaP256Sha256", "key": p384.public_bytes(DER, SPKI).hex()})

public = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"omni").digest()).public_key()
keys.append({"name": "Ed25519", "algorithm": "ed25519", "raw": public.public_bytes_raw().hex(),
             "spki": public.public_bytes(DER, SPKI).hex(), "pem": public.public_bytes(PEM, SPKI).decode()})

tags = [{"name": name, "hash": hashed, "key": key.hex(), "data": data.hex(), "tag": tag}
        for name, hashed, key, data, tag in TAGS]
document = {"hmac": tags, "signatures": signatures, "keys": keys, "refused": refused, "certificates": certificates}
(pathlib.Path(__file__).parent / "public_key.json").write_text(json.dumps(document, indent=1) + "\n")

"""What make_providers.py makes its cases with: requests, signatures, and the cases that every provider has."""

import base64
import datetime
import hashlib
import hmac
import json
import pathlib
import re
import urllib.parse
import zlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

HERE = pathlib.Path(__file__).parent
OUT = HERE / "providers"
NOW = 1_700_000_000  # 2023-11-14T22:13:20Z
URL = "https://hooks.example.com/webhooks/x"
UTC = datetime.timezone.utc
MANY = 10_000


def instant(seconds):
    return datetime.datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def key_of(name, make):
    """A key from `keys/`, made if it is not there: RSA and P-256 keys cannot be derived from a text."""
    path = HERE / "keys" / f"{name}.pem"
    if not path.exists():
        path.write_bytes(make().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return serialization.load_pem_private_key(path.read_bytes(), None)


def rsa_key(name):
    return key_of(name, lambda: rsa.generate_private_key(65537, 2048))


def p256_key(name):
    return key_of(name, lambda: ec.generate_private_key(ec.SECP256R1()))


def certificate(key, name, first="2020-01-01", last="2040-01-01"):
    day = lambda text: datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).serial_number(1)
    builder = builder.not_valid_before(day(first)).not_valid_after(day(last)).public_key(key.public_key())
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    deterministic = True if isinstance(key, ec.EllipticCurvePrivateKey) else None
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=deterministic).public_bytes(serialization.Encoding.PEM).decode()


def mac(key, message, digest="sha256"):
    key = key if isinstance(key, bytes) else key.encode()
    return hmac.new(key, message, digest).digest()


def hexed(data):
    return data.hex()


def b64(data):
    return base64.b64encode(data).decode()


def reads(encoding, text):
    """Whether a text is well-formed in its encoding, so that only the bytes can be wrong."""
    if encoding is hexed:
        return re.fullmatch(r"([0-9a-fA-F]{2})*", text) is not None
    return re.fullmatch(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}(==)?|[A-Za-z0-9+/]{3}=?)?", text) is not None


class Request:
    def __init__(self, headers, body, url=URL, method="POST"):
        self.headers, self.body, self.url, self.method = headers, body, url, method

    def with_header(self, name, value):
        return Request({**self.headers, name: value}, self.body, self.url, self.method)

    def without(self, name):
        headers = {key: value for key, value in self.headers.items() if key != name}
        return Request(headers, self.body, self.url, self.method)

    def with_body(self, body):
        return Request(self.headers, body, self.url, self.method)

    def with_url(self, url):
        return Request(self.headers, self.body, url, self.method)


class File:
    """The cases of one provider."""

    def __init__(self, name, secrets, second=None, certificates=None):
        self.name, self.secrets, self.second = name, secrets, second
        self.certificates, self.cases = certificates or {}, []

    def case(self, name, request, expect, secrets=None, now=NOW, published=None, certificate=None, second=None):
        case = {"name": name, "expect": expect}
        if published:
            case["published"] = published
        case["now"] = instant(now)
        held = secrets if secrets is not None else self.secrets[:1]
        case["secrets"] = [one if isinstance(one, dict) else {"secret": one} for one in held if one is not None]
        if second or self.second:
            case["second"] = second or self.second
        if certificate:
            case["certificate"] = certificate
        case.update(method=request.method, url=request.url, headers=request.headers)
        try:
            case["body"] = request.body.decode()
        except UnicodeDecodeError:
            case["bodyBase64"] = b64(request.body)
        self.cases.append(case)

    def overlap(self, signed_with_old, mismatch):
        new, old = self.secrets[1], self.secrets[0]
        held = lambda **rest: [{"id": "new", "secret": new}, {"id": "old", "secret": old, **rest}]
        self.case("the old secret inside of the overlap", signed_with_old, "ok",
                  held(notAfter=instant(NOW + 3600)))
        self.case("the old secret after the overlap", signed_with_old, mismatch, held(notAfter=instant(NOW)))
        self.case("a secret that does not count yet", signed_with_old, mismatch,
                  held(notBefore=instant(NOW + 1)))
        self.case("no secret that counts", signed_with_old, "no-active-secret",
                  [{"id": "old", "secret": old, "notAfter": instant(NOW - 1)}])
        others = [{"id": f"n{i}", "secret": self.other(i)} for i in range(4)]
        self.case("the fifth of five secrets", signed_with_old, "ok", others + [{"id": "old", "secret": old}])
        five = others + [{"id": "n4", "secret": self.other(4)}, {"id": "old", "secret": old}]
        self.case("the sixth of six secrets", signed_with_old, mismatch, five)

    def other(self, index):
        return OTHERS.get(self.name, lambda i: f"another-secret-{i}")(index)

    def write(self):
        document = {"provider": self.name}
        if self.certificates:
            document["certificates"] = self.certificates
        head = json.dumps(document, ensure_ascii=False)[:-1]
        lines = ",\n    ".join(json.dumps(case, ensure_ascii=False) for case in self.cases)
        (OUT / f"{self.name}.json").write_text(f'{head}, "cases": [\n    {lines}\n]}}\n')


OTHERS = {}


def signed(name, secrets, header, encoding, sign, *, body, content_type="application/json", prefix="", stamp=None,
           stamp_header=None, tolerance=None, headers=None, listed=None, pair=None, stamp_pair=None, url=URL,
           covers_body=True, second=None, url_matters=False):
    """A provider whose signature stands in a header.

    `sign(secret, body, stamp, url)` gives the bytes of the signature and `stamp` writes a time. `listed` parts several
    signatures; `pair` and `stamp_pair` name the pairs of a value such as `t=…,v1=…`.
    """
    file = File(name, secrets, second)
    stamp = stamp or (lambda seconds: "")
    kept = {"Content-Type": content_type, **(headers or {})}

    def value(signatures, time):
        if pair:
            first = [f"{stamp_pair}={time}"] if stamp_pair else []
            return listed.join(first + [f"{pair}={one}" for one in signatures])
        return (listed or " ").join(prefix + one for one in signatures)

    def make(secret=secrets[0], content=body, at=NOW, edit=lambda text: [text], to=url):
        time = stamp(at)
        made = dict(kept)
        if stamp_header:
            made[stamp_header] = time
        made[header] = value(edit(encoding(sign(secret, content, time, to))), time)
        return Request(made, content, to)

    def edited(edit):
        """The code that an edited signature deserves."""
        text = edit(encoding(sign(secrets[0], body, stamp(NOW), url)))
        return "signature-mismatch" if reads(encoding, text) else "signature-malformed"

    def shape(name, edit):
        file.case(name, make(edit=lambda text: [edit(text)]), edited(edit))

    good = make()
    file.case("good", good, "ok")
    if covers_body:
        file.case("an altered byte", good.with_body(flipped(body)), "signature-mismatch")
        file.case("a byte more", good.with_body(body + b"\n"), "signature-mismatch")
        file.case("an empty body", make(content=b""), "ok")
    if url_matters:
        file.case("another URL", good.with_url(url.replace("https:", "http:")), "signature-mismatch")
    file.case("a wrong secret", make(secret=secrets[1]), "signature-mismatch")
    file.case("no secret at all", good, "no-active-secret", [])
    file.case("the header is missing", good.without(header), "header-missing")
    file.case("the header is empty", good.with_header(header, ""),
              "signature-mismatch" if not prefix and not pair and not listed else "signature-malformed")
    file.case("the header is there twice", good.with_header(header, [good.headers[header]] * 2), "header-repeated")
    if prefix:
        file.case("the prefix is missing", good.with_header(header, good.headers[header][len(prefix):]),
                  "signature-malformed")
        file.case("the prefix and nothing else", good.with_header(header, prefix), "signature-mismatch")
    for kept_header in headers or {}:
        file.case(f"{kept_header} is missing", good.without(kept_header), "header-missing")
        file.case(f"{kept_header} is another one", good.with_header(kept_header, "other"), "signature-mismatch")
    shape("truncated", lambda text: text[:-2] if encoding is hexed else text[:-4])
    shape("half of it", lambda text: text[:len(text) // 8 * 4])
    if encoding is hexed:
        shape("one character less", lambda text: text[:-1])
    else:
        shape("a length that is none", lambda text: text[:len(text) // 4 * 4 - 3])
        file.case("without padding", make(edit=lambda text: [text.rstrip("=")]), "ok")
    shape("a byte more of it", lambda text: text + ("00" if encoding is hexed else "AAAA"))
    shape("no such characters", lambda text: "*" * len(text))
    shape("one character differs", lambda text: ("0" if text[0] != "0" else "1") + text[1:])
    if tolerance:
        file.case("as old as is allowed", make(at=NOW - tolerance), "ok")
        file.case("stale", make(at=NOW - tolerance - 1), "timestamp-too-old")
        file.case("as far ahead as is allowed", make(at=NOW + tolerance), "ok")
        file.case("future", make(at=NOW + tolerance + 1), "timestamp-in-future")
        if stamp_header:
            file.case("the timestamp is missing", good.without(stamp_header), "header-missing")
            file.case("the timestamp is another one", good.with_header(stamp_header, stamp(NOW + 1)),
                      "signature-mismatch")
            file.case("the timestamp is no time", good.with_header(stamp_header, "soon"), "timestamp-malformed")
        elif stamp_pair:
            text = good.headers[header]
            file.case("the timestamp is missing",
                      good.with_header(header, text.split(listed, 1)[1]), "pair-missing")
            file.case("the timestamp is another one",
                      good.with_header(header, text.replace(stamp(NOW), stamp(NOW + 1))), "signature-mismatch")
            file.case("the timestamp is there twice",
                      good.with_header(header, f"{stamp_pair}={stamp(NOW)}{listed}{text}"), "value-repeated")
    file.overlap(good, "signature-mismatch")
    wrong = encoding(bytes(len(sign(secrets[0], body, stamp(NOW), url))))
    if listed and (prefix or pair):
        file.case("several signatures, the last one right", make(edit=lambda text: [wrong] * 9 + [text]), "ok")
        unknown = f"v9{prefix[2:] or '='}{wrong}"
        text = good.headers[header]
        file.case("signatures of other versions are left out",
                  good.with_header(header, listed.join([unknown] * 20) + listed + text), "ok")
        file.case("eleven signatures", make(edit=lambda text: [text] * 11), "too-many-signatures")
        one = value([wrong], stamp(NOW)) if not stamp_pair else f"{pair}={wrong}"
        many = {"before": text, "repeat": listed + one, "times": MANY}
        file.case("10,000 signatures", good.with_header(header, many), "too-many-signatures")
    else:
        many = {"before": good.headers[header], "repeat": "," + prefix + wrong, "times": MANY}
        file.case("10,000 signatures", good.with_header(header, many), "signature-malformed")
        file.case("10,000 headers", good.with_header(header, {"again": good.headers[header], "times": MANY}),
                  "header-repeated")
    return file, make


def flipped(body):
    at = len(body) // 2
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]


def shared(name, secrets, header, prefix="", body=b'{"object_kind": "push"}', headers=None):
    """A provider that shows the secret itself."""
    file = File(name, secrets)
    make = lambda secret: Request({"Content-Type": "application/json", **(headers or {}), header: prefix + secret}, body)
    good = make(secrets[0])
    file.case("good", good, "ok")
    file.case("the body is not signed", good.with_body(flipped(body)), "ok")
    file.case("an altered byte", make(flipped(secrets[0].encode()).decode()), "secret-mismatch")
    file.case("a wrong secret", make(secrets[1]), "secret-mismatch")
    file.case("no secret at all", good, "no-active-secret", [])
    file.case("the header is missing", good.without(header), "header-missing")
    file.case("the header is empty", good.with_header(header, ""),
              "signature-malformed" if prefix else "secret-mismatch")
    file.case("the header is there twice", good.with_header(header, [prefix + secrets[0]] * 2), "header-repeated")
    file.case("truncated", make(secrets[0][:-1]), "secret-mismatch")
    file.case("a character more", make(secrets[0] + "x"), "secret-mismatch")
    file.case("another case", make(secrets[0].swapcase()), "secret-mismatch")
    if prefix:
        file.case("the prefix is missing", good.with_header(header, secrets[0]), "signature-malformed")
    file.overlap(good, "secret-mismatch")
    many = {"before": prefix + secrets[0], "repeat": "," + secrets[0], "times": MANY}
    file.case("10,000 secrets", good.with_header(header, many), "secret-mismatch")
    file.case("10,000 headers", good.with_header(header, {"again": prefix + secrets[0], "times": MANY}),
              "header-repeated")
    return file


def publish(file, name, source, request, secret, now=NOW):
    """A vector that the provider has published itself."""
    file.case(name, request, "ok", [secret], now, published=source)


seconds = lambda at: str(at)
milliseconds = lambda at: str(at * 1000)
JSON = b'{"id": "evt_1", "type": "order.paid", "amount": 10.50, "name": "\xc3\xa9"}'
A, B = "It's a Secret to Everybody", "yet another secret"


def plain(name, header, encoding, prefix="", digest="sha256", secrets=(A, B), **rest):
    """A provider that signs the body alone."""
    sign = lambda secret, body, time, url: mac(secret, body, digest)
    return signed(name, list(secrets), header, encoding, sign, prefix=prefix, body=rest.pop("body", JSON), **rest)

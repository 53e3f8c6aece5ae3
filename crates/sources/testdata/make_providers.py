#!/usr/bin/env python3
"""Makes the golden vectors of the providers, `providers/<name>.json`.

Independent of the program: everything is signed here with hashlib, hmac and the package `cryptography`. What a provider
has published itself goes through `publish`: it is checked here against our reading of its rules, and marked in the files.
Run it anywhere: `python3 make_providers.py`. It gives the same files every time; the keys in `keys/` are for tests only.
"""

from golden import *

# --- the body alone -------------------------------------------------------------------------------------------------

file, make = plain("github", "X-Hub-Signature-256", hexed, "sha256=")
github = Request({"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
                 b"Hello, World!")
assert "sha256=" + hexed(mac(A, github.body)) == github.headers["X-Hub-Signature-256"]
publish(file, "the example of the documentation",
        "docs.github.com, Validating webhook deliveries, Testing the webhook payload validation", github, A)
file.case("only the old SHA-1 header", make().without("X-Hub-Signature-256").with_header(
    "X-Hub-Signature", "sha1=" + hexed(mac(A, JSON, "sha1"))), "header-missing")
file.write()

for name, header, encoding, prefix, digest in [
    ("bitbucket", "X-Hub-Signature", hexed, "sha256=", "sha256"),
    ("jira", "X-Hub-Signature", hexed, "sha256=", "sha256"),
    ("shopify", "X-Shopify-Hmac-SHA256", b64, "", "sha256"),
    ("intercom", "X-Hub-Signature", hexed, "sha1=", "sha1"),
    ("typeform", "Typeform-Signature", b64, "sha256=", "sha256"),
    ("sentry", "Sentry-Hook-Signature", hexed, "", "sha256"),
    ("vercel", "x-vercel-signature", hexed, "", "sha1"),
    ("woocommerce", "X-WC-Webhook-Signature", b64, "", "sha256"),
    ("x", "x-twitter-webhooks-signature", b64, "sha256=", "sha256"),
    ("terraform", "X-TFE-Notification-Signature", hexed, "", "sha512"),
    ("dropbox", "X-Dropbox-Signature", hexed, "", "sha256"),
    ("asana", "X-Hook-Signature", hexed, "", "sha256"),
    ("grafana", "X-Grafana-Alerting-Signature", hexed, "", "sha256"),
    ("xero", "x-xero-signature", b64, "", "sha256"),
    ("docusign", "X-DocuSign-Signature-1", b64, "", "sha256"),
    ("hookdeck", "x-hookdeck-signature", b64, "", "sha256"),
]:
    plain(name, header, encoding, prefix, digest)[0].write()

file, make = plain("meta", "X-Hub-Signature-256", hexed, "sha256=", body=b'{"object": "page", "text": "\\u00e9"}')
file.case("letters that were unescaped on the way", make().with_body('{"object": "page", "text": "é"}'.encode()),
          "signature-mismatch")
file.write()

plain("pagerduty", "X-PagerDuty-Signature", hexed, "v1=", listed=",")[0].write()

# --- a timestamp in a header ----------------------------------------------------------------------------------------

colons = lambda secret, body, time, url: mac(secret, b"v0:" + time.encode() + b":" + body)
slack = dict(prefix="v0=", stamp=seconds, stamp_header="X-Slack-Request-Timestamp", tolerance=300)
file, make = signed("slack", ["8f742231b10e8888abcd99yyyzzz85a5", B], "X-Slack-Signature", hexed, colons, body=JSON, **slack)
form = (b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
        b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a1"
        b"4d10d2c447fce8b6703c")
example = Request({"Content-Type": "application/x-www-form-urlencoded", "X-Slack-Request-Timestamp": "1531420618",
                   "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}, form)
assert "v0=" + hexed(colons(file.secrets[0], form, "1531420618", "")) == example.headers["X-Slack-Signature"]
publish(file, "the example of the documentation", "docs.slack.dev, Verifying requests from Slack", example,
        file.secrets[0], 1531420618)
file.case("the example five minutes later", example, "timestamp-too-old", now=1531420618 + 301)
file.write()

signed("zoom", [A, B], "x-zm-signature", hexed, colons, body=b'{"event": "meeting.started", "event_ts": 1700000000123}',
       prefix="v0=", stamp=seconds, stamp_header="x-zm-request-timestamp", tolerance=300)[0].write()
signed("customerio", [A, B], "X-CIO-Signature", hexed, colons, body=JSON, stamp=seconds, stamp_header="X-CIO-Timestamp",
       tolerance=300)[0].write()
signed("webflow", [A, B], "x-webflow-signature", hexed,
       lambda secret, body, time, url: mac(secret, time.encode() + b":" + body), body=JSON, stamp=milliseconds,
       stamp_header="x-webflow-timestamp", tolerance=300)[0].write()
signed("zendesk", [A, B], "X-Zendesk-Webhook-Signature", b64,
       lambda secret, body, time, url: mac(secret, time.encode() + body), body=JSON, stamp=instant,
       stamp_header="X-Zendesk-Webhook-Signature-Timestamp", tolerance=300)[0].write()
signed("hubspot", [A, B], "X-HubSpot-Signature-v3", b64,
       lambda secret, body, time, url: mac(secret, b"POST" + url.encode() + body + time.encode()), body=JSON,
       stamp=milliseconds, stamp_header="X-HubSpot-Request-Timestamp", tolerance=300, url_matters=True)[0].write()
message = "befa7b53-d79d-478f-86b9-120f112b044e"
signed("twitch", [A, B], "Twitch-Eventsub-Message-Signature", hexed,
       lambda secret, body, time, url: mac(secret, message.encode() + time.encode() + body), body=JSON, prefix="sha256=",
       stamp=instant, stamp_header="Twitch-Eventsub-Message-Timestamp", tolerance=600,
       headers={"Twitch-Eventsub-Message-Id": message})[0].write()

# --- Standard Webhooks ----------------------------------------------------------------------------------------------

STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_B = "whsec_" + b64(b"another key of 24 bytes!")
for name, kind in [("standard-webhooks", "webhook"), ("svix", "svix"), ("gitlab-signed", "webhook")]:
    OTHERS[name] = lambda index: "whsec_" + b64(f"another key {index}".encode())
    identity = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    sign = lambda secret, body, time, url: mac(base64.b64decode(secret.removeprefix("whsec_")),
                                               f"{identity}.{time}.".encode() + body)
    file, make = signed(name, [STANDARD, STANDARD_B], f"{kind}-signature", b64, sign, body=JSON, prefix="v1,", listed=" ",
                        stamp=seconds, stamp_header=f"{kind}-timestamp", tolerance=300, headers={f"{kind}-id": identity})
    example = Request({f"{kind}-id": identity, f"{kind}-timestamp": "1614265330",
                       f"{kind}-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, b'{"test": 2432232314}')
    assert "v1," + b64(sign(STANDARD, example.body, "1614265330", "")) == example.headers[f"{kind}-signature"]
    if name != "gitlab-signed":
        publish(file, "the example of the documentation", "docs.svix.com, Verifying webhooks manually, and the libraries of "
                "Standard Webhooks", example, STANDARD, 1614265330)
    file.case("the secret without whsec_", make(), "ok", [STANDARD.removeprefix("whsec_")])
    good = make()
    file.case("only the version and a comma", good.with_header(f"{kind}-signature", "v1,"), "signature-mismatch")
    file.case("only an Ed25519 signature", good.with_header(f"{kind}-signature", "v1a," + b64(bytes(64))),
              "signature-malformed")
    file.write()

# --- pairs ----------------------------------------------------------------------------------------------------------

dot = lambda secret, body, time, url: mac(secret, time.encode() + b"." + body)
file, make = signed("stripe", ["whsec_test_secret", "whsec_other"], "Stripe-Signature", hexed, dot, body=JSON, listed=",",
                    pair="v1", stamp=seconds, stamp_pair="t", tolerance=300)
text = make().headers["Stripe-Signature"]
file.case("a v0 signature beside it", make().with_header("Stripe-Signature", text + ",v0=" + "6" * 64), "ok")
file.case("only a v0 signature", make().with_header("Stripe-Signature", text.replace("v1=", "v0=")), "signature-malformed")
file.write()
signed("calendly", [A, B], "Calendly-Webhook-Signature", hexed, dot, body=JSON, listed=",", pair="v1", stamp=seconds,
       stamp_pair="t", tolerance=180)[0].write()
signed("paddle", ["pdl_ntfset_01", "pdl_ntfset_02"], "Paddle-Signature", hexed,
       lambda secret, body, time, url: mac(secret, time.encode() + b":" + body), body=JSON, listed=";", pair="h1",
       stamp=seconds, stamp_pair="ts", tolerance=60)[0].write()
signed("inngest", ["12345678", "87654321"], "X-Inngest-Signature", hexed,
       lambda secret, body, time, url: mac(secret, body + time.encode()), body=b'{"ctx":{},"event":{"name":"a/b"}}',
       listed="&", pair="s", stamp=seconds, stamp_pair="t", tolerance=300)[0].write()

# --- the URL --------------------------------------------------------------------------------------------------------

signed("square", [A, B], "x-square-hmacsha256-signature", b64,
       lambda secret, body, time, url: mac(secret, url.encode() + body), body=JSON, url_matters=True)[0].write()


def twilio(secret, body, time, url):
    fields = sorted(set(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)))
    return mac(secret, (url + "".join(name + value for name, value in fields)).encode(), "sha1")


published = "https://mycompany.com/myapp.php?foo=1&bar=2"
form = urllib.parse.urlencode([("CallSid", "CA1234567890ABCDE"), ("Digits", "1234"), ("From", "+14158675309"),
                               ("To", "+18005551212"), ("Caller", "+14158675309")]).encode()
FORM = "application/x-www-form-urlencoded"
file, make = signed("twilio", ["12345", "54321"], "X-Twilio-Signature", b64, twilio, body=form, content_type=FORM,
                    url=published, covers_body=False, url_matters=True)
assert b64(twilio("12345", form, "", published)) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
publish(file, "the example of the libraries, a form", "twilio-python, tests/unit/test_request_validator.py", make(), "12345")
file.case("an altered byte", make().with_body(form.replace(b"1234&", b"1235&")), "signature-mismatch")
file.case("the fields in another order", make().with_body(b"&".join(reversed(form.split(b"&")))), "ok")
file.case("a field more", make().with_body(form + b"&Extra=1"), "signature-mismatch")
file.case("a form that says it is JSON", make().with_header("Content-Type", "application/json"), "query-missing")
content = b'{"property": "value", "boolean": true}'
hashed = published + "&bodySHA256=" + hashlib.sha256(content).hexdigest()
assert b64(mac("12345", hashed.encode(), "sha1")) == "a9nBmqA0ju/hNViExpshrM61xv4="
example = Request({"Content-Type": "application/json", "X-Twilio-Signature": "a9nBmqA0ju/hNViExpshrM61xv4="}, content, hashed)
publish(file, "the example of the libraries, JSON", "twilio-python, tests/unit/test_request_validator.py", example, "12345")
file.case("JSON with an altered byte", example.with_body(flipped(content)), "body-hash-mismatch")
file.case("JSON with another hash", example.with_url(hashed.replace("0a1f", "0a1e")), "body-hash-mismatch")
file.case("JSON without its hash", example.with_url(published), "query-missing")
file.case("JSON with two hashes", example.with_url(hashed + "&bodySHA256=00"), "value-repeated")
array = b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234"
assert b64(twilio("12345", array, "", published)) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="
publish(file, "the example of the libraries, repeated fields", "twilio-php, tests/Twilio/Unit/Security", Request(
    {"Content-Type": FORM, "X-Twilio-Signature": "IK+Dwps556ElfBT0I3Rgjkr1wJU="}, array, published), "12345")
file.write()

# --- public keys ----------------------------------------------------------------------------------------------------

ED = [ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([i])).digest()) for i in range(8)]
ED_BY_TEXT = {hexed(key.public_key().public_bytes_raw()): key for key in ED}
OTHERS["discord"] = lambda index: list(ED_BY_TEXT)[index + 2]
signed("discord", list(ED_BY_TEXT)[:2], "X-Signature-Ed25519", hexed,
       lambda secret, body, time, url: ED_BY_TEXT[secret].sign(time.encode() + body), body=b'{"type": 1}', stamp=seconds,
       stamp_header="X-Signature-Timestamp", tolerance=300)[0].write()

P256 = [p256_key(f"p256-{i}") for i in range(8)]
spki = lambda key: b64(key.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
P256_BY_TEXT = {spki(key): key for key in P256}
OTHERS["sendgrid"] = lambda index: list(P256_BY_TEXT)[index + 2]
SENDGRID = "X-Twilio-Email-Event-Webhook-"
file, make = signed("sendgrid", list(P256_BY_TEXT)[:2], SENDGRID + "Signature", b64,
                    lambda secret, body, time, url: P256_BY_TEXT[secret].sign(
                        time.encode() + body, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)),
                    body=b'[{"event": "dropped"}]\r\n', stamp=seconds, stamp_header=SENDGRID + "Timestamp", tolerance=600)
content = (b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYb'
           b'F9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC'
           b'76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n')
public = ("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eN"
          "Ec6wEA3F+g==")
example = Request({SENDGRID + "Signature": "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqH"
                   "h89M15TluLtEZtM=", SENDGRID + "Timestamp": "1600112502"}, content)
serialization.load_der_public_key(base64.b64decode(public)).verify(
    base64.b64decode(example.headers[SENDGRID + "Signature"]), b"1600112502" + content, ec.ECDSA(hashes.SHA256()))
publish(file, "the example of the libraries", "sendgrid-python, test/unit/test_eventwebhook.py", example, public, 1600112502)
file.case("the example without its last line break", example.with_body(content[:-2]), "signature-mismatch", [public],
          1600112502)
file.write()

# --- certificates ---------------------------------------------------------------------------------------------------

RSA, RSA_OTHER = rsa_key("rsa-0"), rsa_key("rsa-1")


def certificates(host):
    return {"good": certificate(RSA, host), "other": certificate(RSA_OTHER, host),
            "expired": certificate(RSA, host, "2020-01-01", "2021-01-01"),
            "early": certificate(RSA, host, "2030-01-01", "2031-01-01"),
            "p256": certificate(P256[0], host), "text": "no certificate"}


def certified(file, good, alter):
    """The cases of a provider that names a certificate; `alter` puts an address into a request."""
    for name, code in [("other", "signature-mismatch"), ("expired", "certificate-refused"), ("early", "certificate-refused"),
                       ("p256", "certificate-refused"), ("text", "certificate-refused")]:
        file.case(f"the certificate is {name}", good, code, certificate=name)
    file.case("the certificate was not fetched", good, "certificate-refused")
    host, path = file.host, "/cert.pem"
    for address in [f"http://{host}{path}", f"https://{host}:8443{path}", f"https://user@{host}{path}",
                    f"https://{host}.evil.example{path}", f"https://evil.example/{host}{path}",
                    f"https://evil.example#{host}{path}", f"https://evil{host}{path}", f"https://{host}@evil.example{path}",
                    "https://127.0.0.1/cert.pem", "https://[::1]/cert.pem", f"//{host}{path}", "file:///etc/passwd", "",
                    ] + file.evil:
        file.case(f"an address that is not believed: {address}", alter(good, address), "certificate-refused",
                  certificate="good")


WEBHOOK_ID = "1JE4291016473214C"
file = File("paypal", [None], WEBHOOK_ID, certificates("messageverificationcerts.paypal.com"))
file.host, file.evil = "api.paypal.com", ["https://paypal.com/cert.pem", "https://api.paypal.com.evil.example/cert.pem"]
transmission, time = "69cd13f0-d67a-11e5-baa3-778b53f4ae55", "2023-11-14T22:13:19Z"


def paypal(body, identity=WEBHOOK_ID, key=RSA, edit=lambda text: text):
    text = f"{transmission}|{time}|{identity}|{zlib.crc32(body)}"
    signature = b64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))
    return Request({"Content-Type": "application/json", "PAYPAL-TRANSMISSION-ID": transmission,
                    "PAYPAL-TRANSMISSION-TIME": time, "PAYPAL-AUTH-ALGO": "SHA256withRSA",
                    "PAYPAL-CERT-URL": "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-5a29e601",
                    "PAYPAL-TRANSMISSION-SIG": edit(signature)}, body)


good = paypal(JSON)
kept = dict(certificate="good")
file.case("good", good, "ok", **kept)
file.case("an altered byte", good.with_body(flipped(JSON)), "signature-mismatch", **kept)
file.case("a wrong key", paypal(JSON, key=RSA_OTHER), "signature-mismatch", **kept)
file.case("for another webhook", paypal(JSON, identity="OTHER"), "signature-mismatch", **kept)
for header in ["PAYPAL-TRANSMISSION-SIG", "PAYPAL-TRANSMISSION-ID", "PAYPAL-TRANSMISSION-TIME", "PAYPAL-CERT-URL"]:
    file.case(f"{header} is missing", good.without(header), "header-missing", **kept)
file.case("another id", good.with_header("PAYPAL-TRANSMISSION-ID", "other"), "signature-mismatch", **kept)
file.case("the header is there twice", good.with_header("PAYPAL-TRANSMISSION-SIG", ["AAAA", "AAAA"]), "header-repeated", **kept)
file.case("truncated", paypal(JSON, edit=lambda text: text[:-4]), "signature-mismatch", **kept)
file.case("a byte more of it", paypal(JSON, edit=lambda text: text[:-2] + "AAAA"), "signature-mismatch", **kept)
file.case("the header is empty", paypal(JSON, edit=lambda text: ""), "signature-mismatch", **kept)
many = {"before": good.headers["PAYPAL-TRANSMISSION-SIG"], "repeat": ",AAAA", "times": MANY}
file.case("10,000 signatures", good.with_header("PAYPAL-TRANSMISSION-SIG", many), "signature-malformed", **kept)
certified(file, good, lambda request, address: request.with_header("PAYPAL-CERT-URL", address))
file.write()

TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"
file = File("aws-sns", [None], TOPIC, certificates("sns.amazonaws.com"))
file.host = "sns.us-west-2.amazonaws.com"
file.evil = [f"https://{host}/SimpleNotificationService-1.pem" for host in
             ["sns.s3.amazonaws.com", "sns.s3-us-west-2.amazonaws.com", "sns.us-west-2.evil.amazonaws.com",
              "sns.amazonaws.com", "us-west-2.amazonaws.com", "sns.us-west-2.amazonaws.com.cn"]]
BASE = {"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC, "Subject": "My First "
        "Message", "Message": "Hello \"world\"\né!", "Timestamp": "2023-11-14T22:13:18.000Z", "SignatureVersion": "2",
        "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"}
SUBSCRIBE = {"Token": "2336412f37", "SubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription"}
FIELDS = {"Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]}
FIELDS["SubscriptionConfirmation"] = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
FIELDS["UnsubscribeConfirmation"] = FIELDS["SubscriptionConfirmation"]


def sns(key=RSA, drop=(), after=(), edit=lambda text: text, **changes):
    message = {**BASE, **changes}
    message = {name: value for name, value in message.items() if name not in drop}
    lines = "".join(f"{name}\n{message[name]}\n" for name in FIELDS[message["Type"]] if name in message)
    digest = hashes.SHA1() if message.get("SignatureVersion") == "1" else hashes.SHA256()
    message["Signature"] = edit(b64(key.sign(lines.encode(), padding.PKCS1v15(), digest)))
    message.update(after)
    return Request({"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": message["Type"]},
                   json.dumps(message, indent=2).encode())


file.case("good", sns(), "ok", **kept)
file.case("good, version 1", sns(SignatureVersion="1"), "ok", **kept)
file.case("without a subject", sns(drop=["Subject"]), "ok", **kept)
for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"]:
    file.case(f"a {kind}", sns(Type=kind, **SUBSCRIBE), "ok", **kept)
    file.case(f"a {kind} with another URL", sns(Type=kind, **SUBSCRIBE, after={"SubscribeURL": "https://evil.example"}),
              "signature-mismatch", **kept)
    file.case(f"a {kind} without its token", sns(Type=kind, **SUBSCRIBE, drop=["Token"]), "field-missing", **kept)
for field, value in [("Message", "Hello"), ("MessageId", "other"), ("Subject", "other"), ("Timestamp", "2023-11-14T22:13:19Z")]:
    file.case(f"an altered byte in {field}", sns(after={field: value}), "signature-mismatch", **kept)
file.case("the version is another one", sns(after={"SignatureVersion": "1"}), "signature-mismatch", **kept)
file.case("the version is unknown", sns(after={"SignatureVersion": "3"}), "signature-malformed", **kept)
file.case("the version is missing", sns(drop=["SignatureVersion"]), "field-missing", **kept)
file.case("the type is unknown", sns(after={"Type": "Other"}), "signature-malformed", **kept)
file.case("a topic of somebody else", sns(TopicArn="arn:aws:sns:us-west-2:666666666666:Evil"), "secret-mismatch", **kept)
file.case("a wrong key", sns(key=RSA_OTHER), "signature-mismatch", **kept)
file.case("the signature is missing", sns().with_body(json.dumps(BASE).encode()), "field-missing", **kept)
file.case("the message is missing", sns().with_body(json.dumps(
    {k: v for k, v in json.loads(sns().body).items() if k != "Message"}).encode()), "field-missing", **kept)
file.case("truncated", sns(edit=lambda text: text[:-4]), "signature-mismatch", **kept)
file.case("the signature is empty", sns(edit=lambda text: ""), "signature-mismatch", **kept)
file.case("the signature is no text", sns(after={"Signature": ["AAAA"]}), "field-missing", **kept)
file.case("a field is there twice", sns().with_body(sns().body[:-2] + b', "Message": "Other"}'), "field-missing", **kept)
file.case("no JSON", sns().with_body(b"Message=1"), "field-missing", **kept)
file.case("10,000 signatures", sns(edit=lambda text: ",".join([text] + ["A"] * MANY)), "signature-malformed", **kept)
certified(file, sns(), lambda request, address: sns(after={"SigningCertURL": address}))
file.write()

# --- in the body ----------------------------------------------------------------------------------------------------

file, make = signed("linear", [A, B], "Linear-Signature", hexed, lambda secret, body, time, url: mac(secret, body),
                    body=b'{"action": "create", "webhookTimestamp": 1700000000000}', covers_body=False)
linear = lambda at: f'{{"action": "create", "webhookTimestamp": {at}}}'.encode()
file.case("an altered byte", make().with_body(linear(1700000000001)), "signature-mismatch")
file.case("another action", make().with_body(make().body.replace(b"create", b"remove")), "signature-mismatch")
for name, at, code in [("as old as is allowed", NOW * 1000 - 60_000, "ok"), ("stale", NOW * 1000 - 60_001, "timestamp-too-old"),
                       ("as far ahead as is allowed", NOW * 1000 + 60_000, "ok"),
                       ("future", NOW * 1000 + 60_001, "timestamp-in-future")]:
    file.case(name, make(content=linear(at)), code)
file.case("no timestamp", make(content=b'{"action": "create"}'), "field-missing")
file.case("two timestamps", make(content=b'{"webhookTimestamp": 1700000000000, "webhookTimestamp": 1700000000000}'),
          "value-repeated")
file.case("the timestamp is no time", make(content=linear('"soon"')), "timestamp-malformed")
file.case("no JSON", make(content=b"{"), "field-missing")
file.write()

file = File("mailgun", [A, B])
TOKEN = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"


def mailgun(secret=A, at=NOW, edit=lambda text: text, after=(), drop=()):
    signature = {"timestamp": str(at), "token": TOKEN, "signature": edit(hexed(mac(secret, f"{at}{TOKEN}".encode())))}
    signature.update(after)
    signature = {name: value for name, value in signature.items() if name not in drop}
    body = {"signature": signature, "event-data": {"event": "opened", "id": "Ase7i2zsRYeDXztHGENqRA"}}
    return Request({"Content-Type": "application/json"}, json.dumps(body).encode())


good = mailgun()
file.case("good", good, "ok")
file.case("the time as a number", mailgun(after={"timestamp": NOW}), "ok")
file.case("the event is not signed", good.with_body(good.body.replace(b"opened", b"failed")), "ok")
file.case("an altered byte in the token", mailgun(after={"token": TOKEN[:-1] + "1"}), "signature-mismatch")
file.case("another time", mailgun(after={"timestamp": str(NOW + 1)}), "signature-mismatch")
file.case("a wrong secret", mailgun(secret=B), "signature-mismatch")
file.case("no secret at all", good, "no-active-secret", [])
for name in ["timestamp", "token", "signature"]:
    file.case(f"{name} is missing", mailgun(drop=[name]), "field-missing")
file.case("the body is empty", good.with_body(b""), "field-missing")
file.case("truncated", mailgun(edit=lambda text: text[:-2]), "signature-mismatch")
file.case("one character less", mailgun(edit=lambda text: text[:-1]), "signature-malformed")
file.case("a byte more of it", mailgun(edit=lambda text: text + "00"), "signature-mismatch")
file.case("the signature is empty", mailgun(edit=lambda text: ""), "signature-mismatch")
file.case("stale", mailgun(at=NOW - 86401), "timestamp-too-old")
file.case("future", mailgun(at=NOW + 86401), "timestamp-in-future")
file.case("two signatures", good.with_body(good.body.replace(b'"signature": {', b'"signature": {"signature": "00", ')),
          "value-repeated")
file.case("10,000 signatures", mailgun(edit=lambda text: ",".join(["0"] * MANY)), "signature-malformed")
file.overlap(good, "signature-mismatch")
file.write()

file = File("microsoft-graph", ["SecretClientState", "other"])
graph = lambda state: Request({"Content-Type": "application/json"}, json.dumps(
    {"value": [{"subscriptionId": "7f105c7d", "changeType": "created", "clientState": state}]}).encode())
good = graph("SecretClientState")
file.case("good", good, "ok")
file.case("the rest is not signed", good.with_body(good.body.replace(b"created", b"deleted")), "ok")
file.case("an altered byte", graph("SecretClientStatf"), "secret-mismatch")
file.case("a wrong secret", graph("other"), "secret-mismatch")
file.case("no secret at all", good, "no-active-secret", [])
file.case("the state is missing", good.with_body(b'{"value": [{"changeType": "created"}]}'), "field-missing")
file.case("the state is null", graph(None), "field-missing")
file.case("no notification", good.with_body(b'{"value": []}'), "field-missing")
file.case("no JSON", good.with_body(b"SecretClientState"), "field-missing")
file.case("truncated", graph("SecretClientStat"), "secret-mismatch")
file.case("a character more", graph("SecretClientState "), "secret-mismatch")
file.case("the state is empty", graph(""), "secret-mismatch")
file.case("two states", good.with_body(good.body.replace(b'"clientState"', b'"clientState": "x", "clientState"')),
          "value-repeated")
file.case("10,000 letters", graph("x" * MANY), "secret-mismatch")
file.overlap(good, "secret-mismatch")
file.write()

# --- the secret itself in a header ----------------------------------------------------------------------------------

shared("gitlab", ["a token of GitLab", "another token"], "X-Gitlab-Token").write()
shared("telegram", ["A_token-of-1", "other"], "X-Telegram-Bot-Api-Secret-Token", body=b'{"update_id": 1}').write()
shared("cloudevents", ["abcdef123456", "other"], "Authorization", "Bearer ").write()

"""Signing in at a provider of OpenID Connect that runs here, as a hospital's would."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from browser.server import free_port, serve
from browser.visit import open_page
from playwright.sync_api import expect

pytest.importorskip("authlib")
from joserfc import jwt
from joserfc.jwk import RSAKey

pytestmark = pytest.mark.browser

KEY = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
SECRETS = """
[auth]
redirect_uri = "{app}/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "pneumo"
client_secret = "not-a-secret"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


class Provider(BaseHTTPRequestHandler):
    """Lets everyone in as Dr. Example."""

    nonces: dict[str, str] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        here = f"http://{self.headers['Host']}"
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if self.path.startswith("/authorize"):
            self.nonces["code"] = asked["nonce"]
            back = urlencode({"code": "code", "state": asked["state"]})
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{back}")
            self.end_headers()
        elif self.path == "/jwks":
            self.answer({"keys": [KEY.as_dict(private=False)]})
        else:
            self.answer(
                {
                    "issuer": here,
                    "authorization_endpoint": f"{here}/authorize",
                    "token_endpoint": f"{here}/token",
                    "jwks_uri": f"{here}/jwks",
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "code_challenge_methods_supported": ["S256"],
                }
            )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        now = int(time.time())
        claims = {"iss": f"http://{self.headers['Host']}", "aud": "pneumo", "sub": "1", "iat": now, "exp": now + 600}
        claims |= {"nonce": self.nonces["code"], "name": "Dr. Example", "email": "doctor@hospital.example"}
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, KEY)
        self.answer({"access_token": "token", "token_type": "Bearer", "id_token": token})

    def answer(self, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args) -> None:
        pass


@pytest.fixture
def provider():
    server = ThreadingHTTPServer(("localhost", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_nobody_sees_a_page_before_signing_in_and_signing_out_shuts_it_again(chromium, provider, tmp_path):
    port, secrets = free_port(), tmp_path / "secrets.toml"
    secrets.write_text(SECRETS.format(app=f"http://localhost:{port}", provider=provider))
    with serve(tmp_path, port=port, options=["--secrets.files", str(secrets)]) as url:
        visit = open_page(chromium, f"{url}/clinic", 1280, height=901)
        page = visit.page
        expect(page.get_by_role("heading", name="Sign in to use pneumo.")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_count(0)
        visit.rest()

        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_text("Dr. Example")).to_be_visible()
        visit.rest()

        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in to use pneumo.")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_count(0)
        visit.page.context.clear_cookies()


def test_a_file_of_secrets_that_cannot_be_read_lets_nobody_in(chromium, tmp_path):
    secrets = tmp_path / "secrets.toml"
    secrets.write_text("[auth\n")
    with serve(tmp_path, options=["--secrets.files", str(secrets)]) as url:
        page = open_page(chromium, url, 1280, height=901).page
        expect(page.get_by_role("alert")).to_contain_text("so nobody is let in")
        expect(page.get_by_role("heading", level=1)).to_have_count(0)

"""Stand-ins for Facebook, Google and a generic platform: they send events and receive replies.

The next behaviour of `Fake.script`, or else `Fake.behaviour`, decides the answer to a reply: "ok",
a status such as "503" or "429", "passing" (Facebook's 400 that may pass), "hang up" (the reply is
received, but its answer is lost). By hand:

    python -m tests.fakes.webhook_platform --port 8098 --target http://127.0.0.1:8000
    python -m tests.fakes.webhook_platform --run manage.py up
    curl localhost:8098/say -d '{"platform": "facebook", "sender": "7", "text": "Hello"}'
    curl localhost:8098/fake -d '{"do": "503"}'
    curl localhost:8098/replies
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

from tests.fakes import platform_events as events
from tests.fakes.platform_events import SignedEvent
from tests.fakes.server import FakeHandler, FakeService, serve

PAGE_ACCESS_TOKEN = "fake-page-token"
VERIFY_TOKEN = "fake-verify-token"
GOOGLE_TOKEN = "fake-google-token"


class Fake(FakeService):
    """The platforms; `target` is the address of the system that they send events to."""

    def __init__(self, port: int = 0, *, target: str = "", file: Path | None = None) -> None:
        super().__init__(_Handler, port, file=file)
        self.target = target
        self._folder = TemporaryDirectory()

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def replies(self) -> list[dict[str, Any]]:
        """Return the replies that were accepted."""
        return [call for call in self.calls if call["what"] == "reply" and call["status"] == 200]

    def environment(self) -> dict[str, str]:
        """Return the settings with which the project calls these platforms."""
        return {
            "FACEBOOK_APP_SECRET": events.FACEBOOK_APP_SECRET,
            "FACEBOOK_VERIFY_TOKEN": VERIFY_TOKEN,
            "FACEBOOK_PAGE_ACCESS_TOKEN": PAGE_ACCESS_TOKEN,
            "FACEBOOK_GRAPH_URL": f"{self.url}/facebook",
            "GOOGLE_CLIENT_TOKEN": events.GOOGLE_CLIENT_TOKEN,
            "GOOGLE_SERVICE_ACCOUNT_FILE": str(self._service_account()),
            "GOOGLE_RCS_URL": f"{self.url}/google",
            "GENERIC_WEBHOOK_SECRET": events.GENERIC_WEBHOOK_SECRET,
            "GENERIC_RESPONSE_URL": f"{self.url}/generic",
        }

    def say(self, platform: str, text: str, *, sender: str = "7", id: str = "") -> tuple[int, Any]:
        """Send a user's message to the target; return its answer."""
        return self.send(events.message(platform, text, sender=sender, id=id))

    def send(self, event: SignedEvent) -> tuple[int, Any]:
        """Send an event to the target; return its answer."""
        request = urllib.request.Request(
            f"{self.target}/conversations/webhooks/{event.platform}",
            data=event.body,
            headers=event.headers,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status, body = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        self.note(what="event", platform=event.platform, status=status)
        return status, json.loads(body)

    def _service_account(self) -> Path:
        """Return a file with a service account; its tokens are issued by this server."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        file = Path(self._folder.name, "service-account.json")
        if not file.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            pem = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            account = {
                "type": "service_account",
                "project_id": "fake",
                "private_key_id": "1",
                "private_key": pem.decode(),
                "client_email": "agent@fake.iam.gserviceaccount.com",
                "token_uri": f"{self.url}/google/token",
            }
            file.write_text(json.dumps(account))
        return file

    def server_close(self) -> None:
        """Delete the service account as well."""
        super().server_close()
        self._folder.cleanup()


class _Handler(FakeHandler):
    server: Fake

    def do_GET(self) -> None:
        """Return the accepted replies."""
        self._answer(200, {"replies": self.server.replies})

    def do_POST(self) -> None:
        """Receive a reply, issue a token, or change the behaviour."""
        path = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        match path.path.strip("/").split("/"):
            case ["fake"]:
                self.server.behaviour = str(json.loads(raw)["do"])
                self._answer(200, {"do": self.server.behaviour})
            case ["say"]:
                status, answer = self.server.say(**json.loads(raw))
                self._answer(200, {"status": status, "answer": answer})
            case ["google", "token"]:
                token = {"access_token": GOOGLE_TOKEN, "expires_in": 3600, "token_type": "Bearer"}
                self._answer(200, token)
            case ["facebook", "me", "messages"]:
                self._facebook(json.loads(raw), parse_qs(path.query))
            case ["google", "v1", "phones", phone, "agentMessages"]:
                self._google(json.loads(raw), unquote(phone), parse_qs(path.query))
            case ["generic"]:
                self._generic(raw)
            case _:
                self._answer(404, {"error": {"message": "No such route."}})

    def _facebook(self, body: dict[str, Any], query: dict[str, list[str]]) -> None:
        allowed = query.get("access_token") == [PAGE_ACCESS_TOKEN]
        self._receive("facebook", body["recipient"]["id"], body["message"]["text"], allowed=allowed)

    def _google(self, body: dict[str, Any], phone: str, query: dict[str, list[str]]) -> None:
        self._receive(
            "google",
            phone,
            body["contentMessage"]["text"],
            allowed=self.headers["Authorization"] == f"Bearer {GOOGLE_TOKEN}",
            id=query["messageId"][0],
            agent=query["agentId"][0],
        )

    def _generic(self, raw: bytes) -> None:
        try:
            Webhook(events.GENERIC_WEBHOOK_SECRET).verify(raw, dict(self.headers))
            allowed = True
        except WebhookVerificationError:
            allowed = False
        data = json.loads(raw)["data"]
        id = str(self.headers["webhook-id"])
        self._receive("generic", data["conversation_id"], data["message"], allowed=allowed, id=id)

    def _receive(self, platform: str, to: str, text: str, *, allowed: bool, **more: str) -> None:
        do = self.server.next_behaviour() if allowed else "401"
        status = {"ok": 200, "hang up": 200, "passing": 400}.get(do) or int(do)
        self.server.note(
            what="reply", platform=platform, to=to, text=text, status=status, do=do, **more
        )
        if do == "hang up":
            self.close_connection = True
            return
        error = {"error": {"code": 613, "message": "Too fast."}} if do == "passing" else {}
        self._answer(status, error or {"recipient_id": to, "message_id": "m_1"})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> int:
    """Serve until a signal, or while a command runs with these as its platforms."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.webhook_platform")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--target", default="http://127.0.0.1:8000", help="base URL for events")
    parser.add_argument("--file", type=Path, help="a file to which every call is appended")
    parser.add_argument("--run", nargs=argparse.REMAINDER, help="arguments of a Python command")
    options = parser.parse_args()
    return serve(Fake(options.port, target=options.target, file=options.file), options.run)


if __name__ == "__main__":
    sys.exit(main())

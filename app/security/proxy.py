"""The proxy in front, if there is one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class TrustedProxy:
    """Believes X-Forwarded-For, -Proto and -Host when a request comes from `network`, and from nowhere else.

    Of several values the last counts, which is the one that the proxy has added itself.
    """

    def __init__(self, app: WSGIApplication, network: str) -> None:
        self._app = app
        self._behind = ProxyFix(app, x_for=1, x_proto=1, x_host=1)
        self._network = ipaddress.ip_network(network)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        app = self._behind if self._trusts(environ.get("REMOTE_ADDR", "")) else self._app
        return app(environ, start_response)

    def _trusts(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return (getattr(address, "ipv4_mapped", None) or address) in self._network

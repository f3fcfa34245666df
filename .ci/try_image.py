"""Run the demo in an unpacked image, read-only and without rights, and sign a user in. Usage: try_image.py ROOT."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from html import unescape

import httpx

IN_IMAGE = """
set -e
mount --bind "$ROOT" "$ROOT"
touch "$ROOT/etc/hosts"  # which a container's runtime provides
mount --bind /etc/hosts "$ROOT/etc/hosts"
mount -o remount,ro,bind "$ROOT"
mount -t tmpfs -o mode=0700,uid=65532,gid=65532 tmpfs "$ROOT/data"
mount -t proc proc "$ROOT/proc"
cd "$ROOT"
exec chroot --userspec=65532:65532 "$ROOT" /usr/bin/env -i PATH=/opt/gateway/bin:/usr/bin:/bin \
  PYTHONPATH=/opt/gateway/app PYTHONUNBUFFERED=1 \
  POOL_PORT="$POOL_PORT" APP_PORT="$APP_PORT" GATEWAY_PORT="$GATEWAY_PORT" \
  /bin/sh -c 'cd /data && exec cognito-gateway demo'
"""


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def sign_in(gateway: str, user: str, password: str) -> str:
    """What a browser does; the page of the application."""
    with httpx.Client(follow_redirects=True, trust_env=False, headers={"accept": "text/html"}) as browser:
        page = browser.get(gateway)
        action = unescape(re.search(r'<form[^>]*action="([^"]+)"', page.text).group(1))
        csrf = re.search(r'name="_csrf" value="([^"]+)"', page.text).group(1)
        form = {"username": user, "password": password, "_csrf": csrf, "signInSubmitButton": "Sign in"}
        return browser.post(page.url.join(action), data=form).text


def main(root: str) -> None:
    pool, app, gateway = free_ports(3)
    environ = {**os.environ, "ROOT": root, "POOL_PORT": str(pool), "APP_PORT": str(app), "GATEWAY_PORT": str(gateway)}
    demo = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_IMAGE],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    started = time.monotonic()
    try:
        banner = ""
        for line in demo.stdout:
            banner += line
            if line.startswith("Ctrl-C"):
                break
        else:
            sys.exit(f"The demo did not start:\n{banner}")
        print(f"Ready after {time.monotonic() - started:.1f} s.")
        user, password = (re.search(rf"{word}\s+(\S+)", banner).group(1) for word in ("Sign in as", "password"))
        page = sign_in(f"http://localhost:{gateway}/", user, password)
        if "Ada Lovelace" not in page:
            text = re.sub("<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
            sys.exit(f"The application does not greet by name:\n{text}")
        healthy = httpx.get(f"http://127.0.0.1:{gateway}/livez", trust_env=False).text.strip()
        print(f"Signed in; the application greets Ada Lovelace. /livez says {healthy}.")
    finally:
        demo.send_signal(signal.SIGINT)
        print(f"The demo ended with {demo.wait(timeout=20)}.")


if __name__ == "__main__":
    main(sys.argv[1])

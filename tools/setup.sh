#!/usr/bin/env bash
# Make .venv with the pinned dependencies and Triptych itself, from a bare Debian or Ubuntu with python3 and make.
# Usage: tools/setup.sh [torch]   `torch` adds what only tests need: PyTorch (training needs it too), a compose implementation, a browser.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
venv=.venv
torch=torch==2.13.0

say() { printf 'setup: %s\n' "$*" >&2; }

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $version in
    3.11 | 3.12) ;;
    *) say "found Python $version; Triton's Python backend needs 3.11 or 3.12 here. Name one: make PYTHON=python3.12 …"; exit 1 ;;
esac

# install_packages NAME…: system packages that pip cannot bring
install_packages() {
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    if ! command -v apt-get >/dev/null || { [ -n "$sudo" ] && ! command -v sudo >/dev/null; }; then
        say "please install: $*"
        exit 1
    fi
    say "installing $* with apt-get"
    $sudo apt-get update -qq || true
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

"$python" -c 'import ensurepip, venv' 2>/dev/null || install_packages "python$version-venv"
# Triton's stub links libpython, which Debian's python3 does not bring.
"$python" - <<'EOF' || install_packages "libpython$version"
import ctypes, sys, sysconfig
name = f"libpython{sys.version_info[0]}.{sys.version_info[1]}.so.1.0"
for path in (name, f"{sysconfig.get_config_var('LIBDIR')}/{name}"):
    try:
        ctypes.CDLL(path)
        sys.exit(0)
    except OSError:
        pass
sys.exit(1)
EOF

if [ -x $venv/bin/python ] && [ "$($venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" != "$version" ]; then
    say "$venv is of another Python; making it anew with $version"
    rm -rf $venv
fi
[ -x $venv/bin/python ] || "$python" -m venv $venv
export PIP_DISABLE_PIP_VERSION_CHECK=1
if ! cmp -s requirements.lock $venv/requirements.lock; then
    say "installing the pinned dependencies into $venv (about 1 GB, once)"
    # The lock is complete, so pip resolves nothing.
    $venv/bin/pip install -q --no-deps --require-hashes -r requirements.lock
    cp requirements.lock $venv/requirements.lock
fi
if ! cmp -s pyproject.toml $venv/pyproject.toml; then
    $venv/bin/pip install -q --no-deps --no-build-isolation --editable .
    cp pyproject.toml $venv/pyproject.toml
fi
if [ "${1:-}" = torch ] && ! $venv/bin/python -c 'import torch' 2>/dev/null; then
    say "installing $torch for the parity tests (without a CPU build at hand, pip takes the one with CUDA: several GB)"
    if ! $venv/bin/pip install -q "$torch"; then
        [ "${CI:-}" = true ] && exit 1  # green must mean compared
        say "PyTorch could not be installed; tests that compare with it will be skipped"
    fi
fi
if [ "${1:-}" = torch ] && ! docker compose version >/dev/null 2>&1 && ! command -v docker-compose >/dev/null; then
    if ! (install_packages docker-compose); then
        [ "${CI:-}" = true ] && exit 1
        say "no docker compose: tests of the compose files will be skipped"
    fi
fi
if [ "${1:-}" = torch ] && ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then
    if ! (install_packages chromium); then
        say "no Chromium: the test of the page in a browser will be skipped"
    fi
fi
if [ "${1:-}" = torch ] && ! command -v gcc >/dev/null; then
    if ! (install_packages gcc libc6-dev); then
        [ "${CI:-}" = true ] && exit 1
        say "no C compiler: tests with a stand-in for Arm NN's delegate will be skipped"
    fi
fi
if [ "${1:-}" = torch ] && [ "$version" = 3.11 ] && [ ! -d /usr/lib/python3/dist-packages/pyarmnn ]; then
    if ! (install_packages python3-pyarmnn libarmnn-cpuref-backend22); then
        [ "${CI:-}" = true ] && exit 1
        say "no Arm NN of Debian's: the test of its reference backend will be skipped"
    fi
fi

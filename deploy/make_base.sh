#!/usr/bin/env bash
# Make a base for deploy/Dockerfile from Debian's packages, where no registry of images is in reach: root, debootstrap, buildah.
# Usage: deploy/make_base.sh, then make image BUILD="buildah --storage-driver vfs" BUILD_ARGS="--isolation chroot --format docker --build-arg BASE=localhost/pneumo-base"
set -euo pipefail
store=(buildah --storage-driver "${STORAGE_DRIVER:-vfs}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase --include=ca-certificates "${SUITE:-bookworm}" "$folder/root" "${MIRROR:-http://deb.debian.org/debian}"
# As this machine does.
cp /etc/resolv.conf "$folder/root/etc/"
# Its scripts want a system that is set up, so it comes second.
DEBIAN_FRONTEND=noninteractive chroot "$folder/root" apt-get install -y -qq --no-install-recommends python3-venv
chroot "$folder/root" apt-get clean
rm -rf "$folder"/root/var/lib/apt/lists/*
container=$("${store[@]}" from scratch)
"${store[@]}" copy "$container" "$folder/root" /
"${store[@]}" config --cmd /bin/bash "$container"
"${store[@]}" commit --rm "$container" pneumo-base

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Unpacks the servers and clients of the live tests, and the libraries they miss, under
# build/testroot/. Nothing is installed: the host gets no daemon, no user and no file.
set -eu

root=build/testroot
packages="nginx haproxy apache2-bin caddy gnutls-bin nghttp2-client nghttp2-server chromium
	prometheus prometheus-node-exporter"
apt_opts="-o APT::Sandbox::User=root -o Debug::NoLocking=true"

fail() {
	echo "tests/testroot.sh: $*" >&2
	exit 1
}

# One line for each package file that the host lacks: name and hash. The host's own C library
# stays in charge: its loader fits no other.
wanted() {
	# shellcheck disable=SC2086 # lists of words
	uris=$(apt-get install $apt_opts -qq --print-uris --no-install-recommends $packages) &&
		printf '%s\n' "$uris" | awk 'NF && $2 !~ /^(libc6|libc-bin|locales)_/ { print $2, $4 }'
}

fetch() {
	# shellcheck disable=SC2086
	apt-get install $apt_opts -o Dir::Cache::archives="$PWD/$root/archives" -qq -y \
		--download-only --no-install-recommends $packages >"$root/apt.log" 2>&1
}

list=$(wanted) || { apt-get update -qq && list=$(wanted); } ||
	fail "apt cannot resolve: $packages. Next: see apt's message above"

# The list of versions is the cache key.
if [ -f "$root/versions" ] && [ "$(cat "$root/versions")" = "$list" ]; then
	exit 0
fi

echo "unpacking under $root (nothing is installed): $packages"
rm -rf "$root"
mkdir -p "$root/archives/partial" "$root/fs"
# The lists may be older than the archive: then update once and try again.
fetch || { apt-get update -qq && list=$(wanted) && fetch; } || {
	cat "$root/apt.log" >&2
	fail "apt could not download: $packages. Next: is the package mirror reachable?"
}
for deb in "$root"/archives/*.deb; do
	case ${deb##*/} in
	libc6_* | libc-bin_* | locales_*) continue ;;
	esac
	[ -e "$deb" ] || continue # nothing was missing
	dpkg -x "$deb" "$root/fs" || fail "$deb could not be unpacked. Next: rm -r $root, try again"
done
rm -rf "$root/archives"
printf '%s\n' "$list" >"$root/versions"

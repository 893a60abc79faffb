#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Unpacks the openssl of Debian 13 (3.5: post-quantum key shares by default) with its own C
# library under build/trixie/, once. Nothing is installed, and the host's lists of packages stay as
# they are. It is run as build/trixie/bin/openssl-3.5.
set -eu

root=build/trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
	echo "tests/trixie.sh: $*" >&2
	exit 1
}

if [ -f "$root/done" ]; then
	exit 0
fi

# The mirror that the host uses for Debian, without any other archive of its lists.
debian() {
	# shellcheck disable=SC2016 # apt expands it
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' |
		head -n 1
}
mirror=$(debian)
if [ -z "$mirror" ]; then # without lists apt does not know whose archive is whose
	apt-get update -qq || fail "apt-get update failed. Next: is the mirror reachable?"
	mirror=$(debian)
fi
[ -n "$mirror" ] || fail "no archive of Debian among apt's sources. Next: add one"

echo "unpacking under $root (nothing is installed): openssl of Debian 13, from $mirror"
rm -rf "$root"
mkdir -p "$root/lists/partial" "$root/archives/partial" "$root/fs"
echo "deb [signed-by=$keyring] $mirror trixie main" >"$root/sources.list"
: >"$root/status"

apt() {
	apt-get -qq -y -o APT::Sandbox::User=root -o Debug::NoLocking=true \
		-o Dir::Etc::SourceList="$PWD/$root/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$PWD/$root/lists" -o Dir::State::Status="$PWD/$root/status" \
		-o Dir::Cache::Archives="$PWD/$root/archives" -o Dir::Cache::pkgcache= \
		-o Dir::Cache::srcpkgcache= "$@" >>"$root/apt.log" 2>&1
}

if ! { apt update && apt install --download-only --no-install-recommends openssl; }; then
	cat "$root/apt.log" >&2
	fail "apt could not get openssl of trixie from $mirror. Next: is the mirror reachable?"
fi
for deb in "$root"/archives/*.deb; do
	dpkg -x "$deb" "$root/fs" || fail "$deb could not be unpacked. Next: rm -r $root, try again"
done
rm -rf "$root/archives" "$root/lists"

# Its own loader runs it: the host's is too old. The host's configuration is not for it.
mkdir "$root/bin"
cat >"$root/bin/openssl-3.5" <<'EOT'
#!/bin/sh
fs=${0%/*}/../fs
for loader in "$fs"/usr/lib/*-linux-gnu*/ld-linux-*.so.*; do
	OPENSSL_CONF=/dev/null exec "$loader" --library-path "${loader%/*}" "$fs/usr/bin/openssl" "$@"
done
EOT
chmod +x "$root/bin/openssl-3.5"
"$root/bin/openssl-3.5" version >/dev/null || fail "it does not run. Next: rm -r $root, try again"
: >"$root/done"

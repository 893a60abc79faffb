#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Unpacks openssl (3.5: post-quantum key shares by default), servers that use it and one of Go 1.24
# from Debian 13, with their own C library, under build/trixie/, once. Nothing is installed, and the
# host's lists of packages stay as they are. They are run as build/trixie/bin/NAME.
set -eu

root=build/trixie
packages="openssl nginx haproxy apache2-bin caddy"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
	echo "tests/trixie.sh: $*" >&2
	exit 1
}

if [ "$(cat "$root/done" 2>/dev/null)" = "$packages" ]; then
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

echo "unpacking under $root (nothing is installed): $packages of Debian 13, from $mirror"
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

# shellcheck disable=SC2086 # a list of words
if ! { apt update && apt install --download-only --no-install-recommends $packages; }; then
	cat "$root/apt.log" >&2
	fail "apt could not get $packages of trixie from $mirror. Next: is the mirror reachable?"
fi
for deb in "$root"/archives/*.deb; do
	dpkg -x "$deb" "$root/fs" || fail "$deb could not be unpacked. Next: rm -r $root, try again"
done
rm -rf "$root/archives" "$root/lists"

# Their own loader runs them: the host's is too old. The host's configuration is not for them.
mkdir "$root/bin"
run_as() {
	cat >"$root/bin/$1" <<EOT
#!/bin/sh
fs=\${0%/*}/../fs
for loader in "\$fs"/usr/lib/*-linux-gnu*/ld-linux-*.so.*; do
	OPENSSL_CONF=/dev/null exec "\$loader" --library-path "\${loader%/*}" "\$fs/usr/$2" "\$@"
done
EOT
	chmod +x "$root/bin/$1"
}
run_as openssl-3.5 bin/openssl
for server in sbin/nginx sbin/haproxy sbin/apache2 bin/caddy; do
	run_as "${server#*/}-trixie" $server
done
"$root/bin/openssl-3.5" version >/dev/null || fail "it does not run. Next: rm -r $root, try again"
printf '%s\n' "$packages" >"$root/done"

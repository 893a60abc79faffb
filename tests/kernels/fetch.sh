#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Unpacks the kernel and the modules of Debian suites, once: build/kernels/SUITE/vmlinuz, modules and
# release; or absent, which says why there is none, for a suite that is not served (any more). That
# one is tried again each time. Nothing is installed, and the host's lists of packages stay as they
# are.
#
#   tests/kernels/fetch.sh [SUITE]
set -eu

# 5.10, 6.1, 6.12 and the newest
suites="bullseye bookworm trixie trixie-backports"

if [ $# = 0 ]; then
	echo "$suites" | xargs -P 2 -n 1 "$0"
	exit
fi

suite=$1
root=$PWD/build/kernels/$suite
meta=linux-image-cloud-amd64 # as linux-image-amd64, without the drivers of real machines
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
	echo "tests/kernels/fetch.sh: $*" >&2
	exit 1
}

[ -f "$root/release" ] && exit 0

# The mirror that the host uses for an archive, without any other archive of its lists.
mirror() {
	# shellcheck disable=SC2016 # apt expands it
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Label: $1" | head -n 1
}
debian=$(mirror Debian)
if [ -z "$debian" ]; then # without lists apt does not know whose archive is whose
	apt-get update -qq || fail "apt-get update failed. Next: is the mirror reachable?"
	debian=$(mirror Debian)
fi
[ -n "$debian" ] || fail "no archive of Debian among apt's sources. Next: add one"
security=$(mirror Debian-Security)

rm -rf "$root"
mkdir -p "$root/lists/partial" "$root/archives/partial" "$root/fs"
: >"$root/status"
echo "deb [signed-by=$keyring] $debian $suite main" >"$root/sources.list"
case $suite in
*-backports) ;;
*) [ -z "$security" ] ||
	echo "deb [signed-by=$keyring] $security $suite-security main" >>"$root/sources.list" ;;
esac

# A suite that is supported no more has a Release file that is valid no more.
apt() {
	tool=$1
	shift
	"$tool" -o APT::Sandbox::User=root -o Debug::NoLocking=true -o Acquire::Languages=none \
		-o Acquire::Check-Valid-Until=false \
		-o Dir::Etc::SourceList="$root/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$root/lists" -o Dir::State::Status="$root/status" \
		-o Dir::Cache::Archives="$root/archives" -o Dir::Cache::pkgcache= \
		-o Dir::Cache::srcpkgcache= "$@"
}

depends() {
	apt apt-cache show --no-all-versions "$1" 2>>"$root/apt.log" | sed -n 's/^Depends: //p' |
		tr ',' '\n' | sed 's/(.*//; s/ //g' | grep -E '^linux-(image|binary|modules)-' || true
}

apt apt-get -q update >"$root/apt.log" 2>&1 || true # a suite that is gone shows below
# Newer suites part an image into packages: follow what it needs, as long as it is the kernel's.
packages=
next=$(depends $meta)
while [ -n "$next" ]; do
	packages="$packages $next"
	# shellcheck disable=SC2086 # a list of words
	next=$(for package in $next; do depends "$package"; done | sort -u |
		grep -vxF "$(printf '%s\n' $packages)" || true)
done
# shellcheck disable=SC2086,SC2116 # the list in one line
packages=$(echo $packages)
if [ -z "$packages" ]; then
	{
		echo "the mirror serves no $meta of $suite"
		grep -E '^(E|W|Err):?' "$root/apt.log" || true
	} | tee "$root/absent" >&2
	exit 0
fi

echo "unpacking under build/kernels/$suite (nothing is installed): $packages"
# shellcheck disable=SC2086 # a list of words
if ! (cd "$root/archives" && apt apt-get -q download $packages >>"$root/apt.log" 2>&1); then
	cat "$root/apt.log" >&2
	fail "apt could not get $packages of $suite. Next: is the mirror reachable?"
fi
for deb in "$root"/archives/*.deb; do
	dpkg -x "$deb" "$root/fs" || fail "$deb could not be unpacked. Next: rm -r $root, try again"
done

# Newer suites have /usr/lib alone, the newest the kernel there as well. Without modules.dep, which
# an installation would make, modprobe knows no module.
kernel=$(find "$root/fs" -type d -path '*/lib/modules/*/kernel' -prune)
modules=${kernel%/kernel}
release=${modules##*/}
mkdir -p "$root/modules/lib/modules"
for image in "$root/fs/boot/vmlinuz-$release" "$modules/vmlinuz"; do
	[ ! -f "$image" ] || mv "$image" "$root/vmlinuz"
done
[ -n "$release" ] || fail "no modules in $packages"
mv "$modules" "$root/modules/lib/modules/"
depmod -b "$root/modules" "$release" 2>>"$root/apt.log"
[ -f "$root/vmlinuz" ] || fail "no vmlinuz in $packages"
rm -rf "$root/archives" "$root/lists" "$root/fs"
echo "$release" >"$root/release"

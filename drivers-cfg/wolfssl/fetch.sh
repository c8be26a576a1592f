#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# fetch.sh FOLDER: downloads wolfSSL's source from the Debian archive that apt is configured for and
# unpacks it into FOLDER/source. Takes the newest version that Debian has in development, or else
# that of Debian 13 with its security patches. Changes nothing in the system: apt gets lists of its
# own inside FOLDER, which must exist. Every file is checked against Debian's signed index.
# Needs apt with downloaded package lists, and dpkg-dev.
set -euo pipefail

oldest=5.9.2-1                     # in development: the first with all known holes closed
oldest_debian13=5.7.2-0.1+deb13u2  # and the same by patches
sha256_592=2f4ef3d4fd387a9b3191d36a6316d69116c46ff69bb9583b6c82b36d7b8ca114

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# apt-get or apt-cache with the sources of one Debian release only
apt_of() { # RELEASE COMMAND ARGUMENT...
	local apt=$folder/apt-$1 command=$2
	shift 2
	"$command" -q -o Dir::Etc::sourcelist="$apt/release.sources" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=2 "$@"
}

read_index() { # RELEASE
	local apt=$folder/apt-$1 key
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	{
		printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\n' "$archive" "$1"
		for key in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
			[ -e "$key" ] && echo "Signed-By: $key" && break
		done
	} >"$apt/release.sources"
	apt_of "$1" apt-get update -o APT::Update::Error-Mode=any && return
	echo "trying again without the index's date: a mirror may keep an old one"
	apt_of "$1" apt-get update -o APT::Update::Error-Mode=any -o Acquire::Check-Valid-Until=false
}

newest_in() { # RELEASE
	apt_of "$1" apt-cache showsrc --only-source wolfssl 2>/dev/null |
		sed -n 's/^Version: //p' | sort -V | tail -1
}

new_enough() { # VERSION OLDEST
	[ -n "$1" ] && dpkg --compare-versions "$1" ge "$2"
}

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
	die "usage: ${0##*/} FOLDER"
fi
folder=$(cd "$1" && pwd)

# shellcheck disable=SC2016 # apt's variables
archive=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
	awk '$1 == "Debian" { print $2; exit }')
[ -n "$archive" ] || die "apt has no Debian archive among its sources"

cd "$folder"
release=sid
read_index $release || die "cannot read Debian's index at $archive"
version=$(newest_in $release)
if ! new_enough "$version" "$oldest"; then
	release=trixie
	read_index $release || die "cannot read Debian's index at $archive"
	version=$(newest_in $release)
	new_enough "$version" "$oldest_debian13" ||
		die "$archive offers no wolfSSL source that is new enough (newest: ${version:-none})"
fi

# An archive in motion may have dropped a version's description while its source is still there.
echo "wolfssl $version from Debian $release"
if apt_of $release apt-get source --download-only "wolfssl=$version"; then
	sources=(wolfssl_"${version#*:}".dsc)
elif [ $release = sid ]; then
	apt_of $release apt-get source --download-only --tar-only "wolfssl=$version" ||
		die "cannot download wolfssl $version from $archive"
	sources=(wolfssl_*.orig.tar.*)
else
	die "cannot download wolfssl $version from $archive"
fi

if [ -e wolfssl_5.9.2.orig.tar.gz ]; then
	echo "$sha256_592  wolfssl_5.9.2.orig.tar.gz" | sha256sum --check --quiet ||
		die "the downloaded source of wolfSSL 5.9.2 is not the one that is known"
fi
case ${sources[0]} in
*.dsc)
	dpkg-source --no-check -x "${sources[0]}" source
	;;
*)
	mkdir source
	tar -xf "${sources[0]}" -C source --strip-components=1
	;;
esac

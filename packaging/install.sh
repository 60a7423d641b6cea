#!/bin/sh
# Installs Belfry's programs, manual pages and completions on Linux or macOS, after it has compared the archive with the
# release's checksums. Nothing is changed unless all of it was fetched and is what it should be.
#
#   sh install.sh                  the newest release, into /usr/local for root and ~/.local for others
#   sh install.sh --version v1.2.3 --prefix /opt/belfry
#   sh install.sh --uninstall
#
# BELFRY_RELEASES is the address of the releases, for a mirror.
set -eu

say() { printf '%s\n' "$*" >&2; }
die() {
    say "install.sh: $*"
    exit 1
}

usage='usage: install.sh [--version v1.2.3] [--prefix FOLDER] [--uninstall]'
names='belfry dispatcher dlq-replayer ingest'

# fetch URL FILE: all of it, or it fails.
fetch() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --retry 2 --connect-timeout 20 --output "$2" "$1"
    elif command -v wget >/dev/null; then
        wget -q -t 3 -T 20 -O "$2" "$1"
    else
        die 'needs curl or wget'
    fi || die "could not fetch $1: nothing was changed"
}

sha256() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1"
    elif command -v shasum >/dev/null; then
        shasum -a 256 "$1"
    elif command -v openssl >/dev/null; then
        openssl dgst -sha256 -r "$1"
    else
        die 'needs sha256sum, shasum or openssl to check what it fetched'
    fi | cut -d ' ' -f 1
}

platform() {
    case $(uname -s) in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) die "there is no build for $(uname -s): linux and darwin have one. With Go: go install github.com/belfry-push/belfry/cmd/...@latest" ;;
    esac
    case $(uname -m) in
    x86_64 | amd64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) die "there is no build for the processor $(uname -m): amd64 and arm64 have one" ;;
    esac
}

uninstall() {
    for name in $names; do rm -f "$prefix/bin/$name"; done
    rm -f "$prefix"/share/man/man1/belfry.1 "$prefix"/share/man/man1/dlq-replayer.1 \
        "$prefix"/share/man/man8/belfry-ingest.8 "$prefix"/share/man/man8/belfry-dispatcher.8
    for name in belfry dlq-replayer; do
        rm -f "$prefix/share/bash-completion/completions/$name" "$prefix/share/zsh/vendor-completions/_$name" \
            "$prefix/share/fish/vendor_completions.d/$name.fish"
    done
    say "Belfry is removed from $prefix; data directories are where they were"
}

# main is called in the last line: a script that was cut off on its way does nothing.
main() {
    version=
    remove=
    releases=${BELFRY_RELEASES:-https://github.com/belfry-push/belfry/releases}
    if [ "$(id -u)" = 0 ]; then prefix=/usr/local; else prefix=$HOME/.local; fi
    while [ $# -gt 0 ]; do
        case $1 in
        --version | --prefix)
            [ -n "${2:-}" ] || die "$1 needs a value; $usage"
            if [ "$1" = --version ]; then version=$2; else prefix=$2; fi
            shift
            ;;
        --uninstall) remove=yes ;;
        *) die "what is $1? $usage" ;;
        esac
        shift
    done
    if [ -n "$remove" ]; then
        uninstall
        return
    fi
    platform
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM

    if [ -n "$version" ]; then from=$releases/download/v${version#v}; else from=$releases/latest/download; fi
    fetch "$from/SHA256SUMS" "$work/SHA256SUMS"
    # One line, such as: 9f86d0…  belfry_1.2.3_linux_amd64.tar.gz
    line=$(grep -E "^[0-9a-f]{64}  belfry_[0-9A-Za-z.-]+_${system}_${arch}\.tar\.gz\$" "$work/SHA256SUMS") ||
        die "the release at $from has no archive for $system/$arch: nothing was changed"
    [ "$(printf '%s\n' "$line" | wc -l)" -eq 1 ] || die "the checksums at $from name more than one archive for $system/$arch: nothing was changed"
    want=${line%% *}
    archive=${line##* }
    folder=${archive%.tar.gz}
    number=${folder#belfry_}
    number=${number%"_${system}_${arch}"}
    if [ -n "$version" ] && [ "$number" != "${version#v}" ]; then
        die "asked for ${version#v}, the checksums are of $number: nothing was changed"
    fi
    fetch "$releases/download/v$number/$archive" "$work/$archive"
    got=$(sha256 "$work/$archive")
    [ "$got" = "$want" ] || die "$archive is not what was released (SHA-256 $got, not $want): nothing was changed"
    tar -xzf "$work/$archive" -C "$work" || die "$archive cannot be unpacked: nothing was changed"
    for name in $names; do
        [ -x "$work/$folder/bin/$name" ] || die "$archive has no program $name: nothing was changed"
    done

    mkdir -p "$prefix/bin" "$prefix/share" || die "cannot write to $prefix: choose another with --prefix, or be root"
    # Each is copied beside and then renamed, so that a program that runs is not written to.
    for name in $names; do
        cp "$work/$folder/bin/$name" "$prefix/bin/.$name.new"
        chmod 755 "$prefix/bin/.$name.new"
        mv -f "$prefix/bin/.$name.new" "$prefix/bin/$name"
    done
    cp -R "$work/$folder/share/." "$prefix/share/"
    say "Belfry $number is in $prefix/bin; try: belfry up --sandbox"
    case :$PATH: in
    *:"$prefix/bin":*) ;;
    *) say "add it to your PATH: export PATH=\"$prefix/bin:\$PATH\"" ;;
    esac
}

main "$@"

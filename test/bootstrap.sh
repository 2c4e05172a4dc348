#!/bin/bash
# Proves that the README's two commands are all that a bare Debian 12 needs: makes a chroot with the base system only, puts a clean
# clone into it, runs the two lines as they stand in the README, reports. Needs root, debootstrap and a Debian mirror.
# usage: bootstrap.sh     MIRROR=, SUITE=, KEEP=1 (keeps the chroot), WORK=folder, ONLY=check|demo, DEBOOTSTRAP_OPTIONS=
set -u
cd "$(dirname "$0")/.." || exit 2
MIRROR=${MIRROR:-} # empty: debootstrap's own default
SUITE=${SUITE:-bookworm}
die() { echo "bootstrap-test: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "debootstrap and chroot need root"
command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"

mapfile -t lines < <(sed -n '/^```sh$/,/^```$/p' README.md | grep -E '^\./configure --install-deps .*make (-j[0-9]* )?(demo|check)$')
[ ${#lines[@]} = 2 ] || die "README.md should hold two commands, one for make demo and one for make check; found ${#lines[@]}"

work=${WORK:-$(mktemp -d /var/tmp/sora-bootstrap.XXXXXX)}
root=$work/root
mkdir -p "$root"
cleanup() {
    umount -R -l "$root/proc" "$root/dev" 2>/dev/null
    [ "${KEEP:-}" = 1 ] || rm -rf --one-file-system "$work"
}
trap cleanup EXIT

echo "chroot: $SUITE${MIRROR:+ from $MIRROR}"
# shellcheck disable=SC2086
debootstrap --variant=minbase ${DEBOOTSTRAP_OPTIONS:-} "$SUITE" "$root" ${MIRROR:+"$MIRROR"} >"$work/debootstrap.log" 2>&1 ||
    { tail -n 20 "$work/debootstrap.log"; die "debootstrap failed"; }
# The way to the mirror is the host's: names, proxy and certificates are no part of what is tested.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null
grep -rhsiE '^Acquire::https?::(proxy|verify|cainfo)' /etc/apt/apt.conf /etc/apt/apt.conf.d >"$root/etc/apt/apt.conf.d/90host" || rm -f "$root/etc/apt/apt.conf.d/90host"
mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" || die "cannot mount /proc and /dev in the chroot"
for p in gcc cc make pkg-config; do
    chroot "$root" sh -c "command -v $p" >/dev/null && die "the chroot is not bare: it has $p"
done

git clone -q --no-hardlinks . "$root/libsora" || die "git clone failed"
fails=0
for line in "${lines[@]}"; do
    name=${line##* }
    [ -n "${ONLY:-}" ] && [ "$ONLY" != "$name" ] && continue
    echo "$ $line"
    start=$(date +%s)
    chroot "$root" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        bash -c "cd /libsora && $line" >"$work/$name.log" 2>&1 </dev/null
    status=$?
    tail -n 4 "$work/$name.log" | sed 's/^/    /'
    echo "    make $name: status $status after $(($(date +%s) - start)) s"
    [ $status = 0 ] || { fails=$((fails + 1)); cp "$work/$name.log" "/tmp/bootstrap-$name.log"; echo "    log: /tmp/bootstrap-$name.log"; }
    if [ "$name" = demo ] && [ $status = 0 ] && [ ! -s "$root/libsora/build/demo/index.html" ]; then
        echo "    FAIL: there is no build/demo/index.html"; fails=$((fails + 1))
    fi
done
[ $fails = 0 ] && echo "bootstrap-test: passed" || die "failed"

#!/usr/bin/dash
# SPDX-License-Identifier: GPL-2.0-only
#
# The first process of a guest of test_kernels.py, and what the guest is there for: each compiler's
# programs are verified, its agent observes real handshakes by each hook and is ended. What is seen
# goes to the second serial port, parted by lines `== NAME`; it is judged outside.
# The kernel's command line gives: hooks=tc[,xdp] library=yes|no counts=yes|no (whether it tells how
# many instructions of a loaded program were verified)
#
# shellcheck disable=SC2154 # those are the kernel's
#
# dash, because busybox's own shell would run its own `ip` and `tc`.
export PATH=/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs trace /sys/kernel/tracing
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
stty -F /dev/ttyS1 raw
exec </dev/null >/dev/ttyS1 2>/dev/console

V4=10.77.0.1 V6=fd00:77::1 PORT=8443 METRICS=127.0.0.1:10035 HANDSHAKES=4

network() {
	ip link set lo up
	ip netns add client
	ip link add eth0 type veth peer name eth0 netns client
	ip addr add $V4/24 dev eth0
	ip addr add $V6/64 dev eth0 nodad
	ip link set eth0 up
	ip -n client addr add 10.77.0.2/24 dev eth0
	ip -n client addr add fd00:77::2/64 dev eth0 nodad
	ip -n client link set eth0 up
	ip link add tap0 type veth peer name tap1 # a mirror port has no address
	ip link set tap0 addrgenmode none up
}

# What an agent attaches to, loads or makes: it must be the same before and after it. Not the
# carrier and what follows from it, which the kernel tells up to a second later (linkwatch).
state() {
	ip -o link show | sed -E 's/ state [A-Z]+//; s/(,LOWER_UP|NO-CARRIER,|,M-DOWN)//g'
	tc qdisc show
	for device in eth0 tap0; do
		tc filter show dev $device ingress
		tc filter show dev $device egress
	done
	bpftool prog show
	bpftool map show
	bpftool link show
	ls /sys/fs/bpf /run /run/a /tmp
	cat /sys/kernel/tracing/uprobe_events 2>/dev/null
}

# A line a handshake: what it was to be, and the client's own port and choice.
handshakes() {
	for version in 1.2 1.3; do
		while read -r address offer; do
			name=tls$version.$offer.test
			said=$(nsenter --net=/run/netns/client peer client "$address" $PORT "$name" "$offer" $version)
			echo "$name $address $version $offer $said"
		done <<-EOT
			$V4 h2,http/1.1
			$V6 http/1.1,foo
		EOT
	done
}

# Until all that was seen is told; metrics are left in a file.
drained() {
	for _ in $(seq 100); do
		wget -q -O /tmp/x/metrics http://$METRICS/metrics
		if grep -qx 'alpnscope_in_flight 0' /tmp/x/metrics &&
			grep -qx 'alpnscope_events_held 0' /tmp/x/metrics &&
			[ "$(wc -l </tmp/x/events)" -ge $HANDSHAKES ]; then
			return
		fi
		sleep 0.2
	done
}

# What ends asynchronously has a moment for it.
settled() {
	for _ in $(seq 25); do
		state >/tmp/x/after
		cmp -s /tmp/x/before /tmp/x/after && break
		sleep 0.2
	done
	cat /tmp/x/after
}

observe() { # COMPILER HOOK [OPTION...]
	run="$1 $2"
	from=/agents/$1
	shift 2
	mkdir /tmp/x
	state >/tmp/x/before
	"$from/alpnscope" run -v -i eth0 --tap tap0 -o json --web.listen-address $METRICS \
		--socket /run/a/sock "$@" >/tmp/x/events 2>/tmp/x/stderr &
	pid=$!
	for _ in $(seq 300); do
		grep -q ready: /tmp/x/stderr && break
		kill -0 $pid || break
		sleep 0.2
	done
	peer server $PORT /server.pem /server.key h2,http/1.1 >/tmp/x/server &
	server=$!
	for _ in $(seq 50); do
		grep -q "$(printf :%04X $PORT)" /proc/net/tcp6 && break
		sleep 0.1
	done
	echo "== $run programs"
	if [ "$counts" = yes ] && grep -q ready: /tmp/x/stderr; then
		verify loaded alpnscope_
	elif [ "$counts" = yes ]; then
		verify "$from/linked.o" # says which is refused, and why
	fi
	echo "== $run attached"
	state
	echo "== $run clients"
	handshakes
	drained
	kill $server
	kill $pid
	wait $pid
	status=$?
	echo "== $run status"
	echo $status
	for what in server events metrics stderr before; do
		echo "== $run $what"
		cat /tmp/x/$what
	done
	echo "== $run after"
	settled
	rm -r /tmp/x
}

network
mkdir /run/a
echo "== release"
cat /proc/sys/kernel/osrelease
for directory in /agents/*; do
	compiler=${directory##*/}
	echo "== $compiler programs"
	[ "$counts" = yes ] || verify "$directory/linked.o" no-xdp
	[ "$library" = no ] || verify "$directory/library.bpf.o"
	option=--library
	[ "$library" = yes ] || option=
	# shellcheck disable=SC2086 # none or one word
	observe "$compiler" tc $option
	case $hooks in
	*xdp*) observe "$compiler" xdp --hook xdp ;;
	esac
done
echo "== end"
poweroff -f

// SPDX-License-Identifier: GPL-2.0-only
#include "workload.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

#define ID_LEN 64 /* hex digits of a container's id, with all runtimes that have one */

/* One directory of a path: not terminated. */
struct part {
	const char *at;
	size_t len;
};

void workload_text(char *to, size_t size, const char *bytes, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';

		if (used + (plain ? 1 : 4) >= size)
			break;
		if (plain)
			to[used++] = (char)c;
		else
			used += (size_t)snprintf(to + used, size - used, "\\x%02x", c);
	}
	to[used] = '\0';
}

static bool begins(struct part p, const char *with)
{
	return p.len >= strlen(with) && !memcmp(p.at, with, strlen(with));
}

static bool ends(struct part p, const char *with)
{
	size_t len = strlen(with);

	return p.len >= len && !memcmp(p.at + p.len - len, with, len);
}

static struct part inner(struct part p, const char *before, const char *after)
{
	size_t b = strlen(before), a = strlen(after);

	return (struct part){p.at + b, p.len > a + b ? p.len - a - b : 0};
}

/* How many of the first bytes are lower-case hex digits. */
static size_t hex_digits(struct part p)
{
	size_t n = 0;

	while (n < p.len && (isdigit((unsigned char)p.at[n]) || (p.at[n] >= 'a' && p.at[n] <= 'f')))
		n++;
	return n;
}

static size_t digits(struct part p)
{
	size_t n = 0;

	while (n < p.len && isdigit((unsigned char)p.at[n]))
		n++;
	return n;
}

/* The id in the names that runtimes give: ID, docker-ID.scope, cri-containerd-ID.scope,
 * libpod-ID.scope, crio-ID, and kubepods-...slice:cri-containerd:ID. */
static bool container_id(struct part p, char id[ID_LEN + 1])
{
	struct part tail = ends(p, ".scope") ? inner(p, "", ".scope") : p;

	if (tail.len < ID_LEN || begins(p, "libpod-conmon-") || begins(p, "crio-conmon-"))
		return false;
	tail.at += tail.len - ID_LEN;
	tail.len = ID_LEN;
	if (hex_digits(tail) != ID_LEN || (tail.at > p.at && !strchr("-:", tail.at[-1])))
		return false;
	memcpy(id, tail.at, ID_LEN);
	id[ID_LEN] = '\0';
	return true;
}

/* Names that systemd or a program made up for one run (systemd.unit(5), systemd-run(1),
 * systemd.socket(5) with Accept=yes, the XDG conventions for desktop applications). */
static bool is_transient(struct part unit)
{
	const char *at = memchr(unit.at, '@', unit.len);
	struct part instance = {at ? at + 1 : NULL, 0};
	size_t n;

	if (begins(unit, "run-") && unit.len > 5 && strchr("rup", unit.at[4])) {
		struct part rest = inner(unit, "run-r", ".service");

		n = hex_digits(rest);
		return n == rest.len || (n && n + 2 < rest.len && !memcmp(rest.at + n, "-i", 2));
	}
	if (begins(unit, "dbus-:"))
		return true;
	if (!at)
		return false;
	instance.len = unit.len - (size_t)(instance.at - unit.at) - strlen(".service");
	n = digits(instance);
	/* N-ADDRESS:PORT-ADDRESS:PORT, or N-PID-UID */
	if (n && n < instance.len && instance.at[n] == '-') {
		struct part rest = {instance.at + n + 1, instance.len - n - 1};
		size_t m = digits(rest);

		if (memchr(rest.at, ':', rest.len) ||
		    (m && m < rest.len && rest.at[m] == '-' &&
		     digits((struct part){rest.at + m + 1, rest.len - m - 1}) == rest.len - m - 1))
			return true;
	}
	return instance.len >= 16 && hex_digits(instance) == instance.len;
}

static bool is_unit(struct part p)
{
	return ends(p, ".service") && p.len > strlen(".service") && !begins(p, "user@") &&
	       !is_transient(p);
}

/* The machine in machine-NAME.scope (systemd-machined), without the number that libvirt puts
 * before the name; `-` is written \x2d in it. */
static void machine(struct part p, char *name, size_t size)
{
	struct part in = inner(p, "machine-", ".scope");
	char plain[256];
	size_t len = 0;
	struct part rest;

	for (size_t i = 0; i < in.len && len < sizeof(plain); len++) {
		bool dash = in.len - i >= 4 && !memcmp(in.at + i, "\\x2d", 4);

		plain[len] = dash ? '-' : in.at[i];
		i += dash ? 4 : 1;
	}
	rest = (struct part){plain, len};
	if (begins(rest, "qemu-") || begins(rest, "lxc-")) {
		size_t kind = begins(rest, "lxc-") ? 4 : 5;
		size_t n = digits((struct part){plain + kind, len - kind});

		if (n && kind + n < len && plain[kind + n] == '-')
			rest = (struct part){plain + kind + n + 1, len - kind - n - 1};
	}
	workload_text(name, size, rest.at, rest.len);
}

/* A container that is called by its name. @above: the directory that @p is in. */
static bool container_name(struct part above, struct part p, char *name, size_t size)
{
	struct part in = {NULL, 0};

	if (begins(p, "machine-") && ends(p, ".scope")) {
		machine(p, name, size);
		return true;
	}
	if (begins(p, "lxc.payload."))
		in = inner(p, "lxc.payload.", "");
	else if ((above.len == 11 && begins(above, "lxc.payload")) ||
		 (above.len == 3 && begins(above, "lxc")))
		in = p;
	else if (begins(p, "systemd-nspawn@") && ends(p, ".service"))
		in = inner(p, "systemd-nspawn@", ".service");
	if (!in.len)
		return false;
	workload_text(name, size, in.at, in.len);
	return true;
}

void workload_place(struct workload *w, const char *path)
{
	struct part above = {"", 0};

	w->cgroup[0] = w->unit[0] = w->container[0] = w->container_id[0] = '\0';
	if (!path)
		return;
	workload_text(w->cgroup, sizeof(w->cgroup), path, strlen(path));
	for (const char *at = path; *at;) {
		struct part p = {at, strcspn(at, "/")};
		char name[sizeof(w->container)];

		at += p.len + (at[p.len] == '/');
		if (p.len && p.at[0] == '_') { /* systemd's escape of names the kernel may want */
			p.at++;
			p.len--;
		}
		if (container_id(p, w->container_id)) {
			w->container[0] = w->unit[0] =
				'\0'; /* what is around it is the runtime's */
		} else if (container_name(above, p, name, sizeof(name))) {
			memcpy(w->container, name, sizeof(name));
			w->container_id[0] = w->unit[0] = '\0';
		} else if (!w->unit[0] && is_unit(p)) {
			workload_text(w->unit, sizeof(w->unit), p.at, p.len);
		}
		above = p;
	}
}

void workload_name(const struct workload *w, char *name, size_t size)
{
	if (w->container[0] && w->unit[0])
		snprintf(name, size, "%s/%s", w->container, w->unit);
	else if (w->container[0])
		text_copy(name, size, w->container);
	else
		text_copy(name, size, w->unit[0] ? w->unit : w->process);
}

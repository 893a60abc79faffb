// SPDX-License-Identifier: GPL-2.0-only
/* What paths of cgroups tell, as systemd, the container runtimes and Kubernetes make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "workload.h"

#define ID "5f7d3c2a9b8e4d1c0f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e"
#define ID2 "aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999"
#define POD "kubepods-burstable-pod2f8a7c3e_1b2d_4c5e_9f60_a1b2c3d4e5f6.slice"

struct row {
	const char *path, *unit, *container, *id;
};

static void check(const struct row *row)
{
	struct workload w;

	memset(&w, 'x', sizeof(w));
	workload_place(&w, row->path);
	if (strcmp(w.unit, row->unit) || strcmp(w.container, row->container) ||
	    strcmp(w.container_id, row->id))
		fail_msg("%s: unit \"%s\" container \"%s\" id \"%s\"", row->path, w.unit,
			 w.container, w.container_id);
}

#define CHECK(rows)                                                                                \
	for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++)                              \
	check(&(rows)[i])

/* systemd.unit(5), systemd.slice(5), "The New Control Group Interfaces" of systemd.io */
static void units(void **state)
{
	static const struct row rows[] = {
		{"/system.slice/nginx.service", "nginx.service", "", ""},
		{"/system.slice/system-postgresql.slice/postgresql@15-main.service",
		 "postgresql@15-main.service", "", ""},
		{"/web.slice/web-front.slice/haproxy.service", "haproxy.service", "", ""},
		{"/system.slice/nginx.service/workers", "nginx.service", "", ""},
		/* the outer one is systemd's, what it made below it is its own business */
		{"/system.slice/a.service/b.service", "a.service", "", ""},
		/* names that the kernel's own files might have begin with `_` */
		{"/system.slice/_cpu.service", "cpu.service", "", ""},
		{"/system.slice/foo\\x2dbar.service", "foo\\x5cx2dbar.service", "", ""},
		{"/", "", "", ""},
		{"/init.scope", "", "", ""},
		{"/system.slice/sshd.socket", "", "", ""},
		{"/system.slice/.service", "", "", ""},
	};

	(void)state;
	CHECK(rows);
}

/* user@.service(5), pam_systemd(8), "Desktop Environment Integration" of systemd.io */
static void users(void **state)
{
	static const struct row rows[] = {
		{"/user.slice/user-1000.slice/session-3.scope", "", "", ""},
		{"/user.slice/user-1000.slice/user@1000.service/init.scope", "", "", ""},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service",
		 "syncthing.service", "", ""},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/"
		 "app-gnome-firefox-4242.scope",
		 "", "", ""},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/"
		 "app-firefox@2b0f7e1d6c5a4938.service",
		 "", "", ""},
	};

	(void)state;
	CHECK(rows);
}

/* systemd-run(1), systemd.socket(5) with Accept=yes */
static void transient(void **state)
{
	static const struct row rows[] = {
		{"/system.slice/run-u17.service", "", "", ""},
		{"/system.slice/run-r0f3a9c5d7e1b4286a0c2e4f6b8d0a1c3.service", "", "", ""},
		{"/system.slice/run-p4711-i99.service", "", "", ""},
		{"/system.slice/run-u17.scope", "", "", ""},
		{"/system.slice/run-parts.service", "run-parts.service", "", ""},
		{"/system.slice/runner.service", "runner.service", "", ""},
		{"/system.slice/system-sshd.slice/sshd@3-10.0.0.1:22-10.0.0.2:5555.service", "", "",
		 ""},
		{"/system.slice/system-foo.slice/foo@12-4711-1000.service", "", "", ""},
		{"/system.slice/system-foo.slice/foo@8443.service", "foo@8443.service", "", ""},
		{"/system.slice/dbus-:1.2-org.example.App@0.service", "", "", ""},
	};

	(void)state;
	CHECK(rows);
}

/* Docker ("Runtime metrics"), containerd (cri, config.md), Podman, CRI-O, Kubernetes ("Configuring
 * a cgroup driver"), Amazon ECS */
static void containers(void **state)
{
	static const struct row rows[] = {
		{"/system.slice/docker-" ID ".scope", "", "", ID},
		{"/docker/" ID, "", "", ID},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope", "",
		 "", ID},
		{"/machine.slice/libpod-" ID ".scope", "", "", ID},
		{"/machine.slice/libpod-" ID ".scope/container", "", "", ID},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
		 ".scope/container",
		 "", "", ID},
		{"/libpod_parent/libpod-" ID, "", "", ID},
		{"/machine.slice/libpod-conmon-" ID ".scope", "", "", ""},
		{"/kubepods.slice/kubepods-burstable.slice/" POD "/cri-containerd-" ID ".scope", "",
		 "", ID},
		{"/kubepods.slice/kubepods-burstable.slice/" POD "/crio-" ID ".scope", "", "", ID},
		{"/kubepods.slice/kubepods-burstable.slice/" POD "/docker-" ID ".scope", "", "",
		 ID},
		{"/kubepods/burstable/pod2f8a7c3e-1b2d-4c5e-9f60-a1b2c3d4e5f6/" ID, "", "", ID},
		{"/kubepods/besteffort/pod2f8a7c3e-1b2d-4c5e-9f60-a1b2c3d4e5f6/crio-" ID, "", "",
		 ID},
		/* containerd whose driver is not the kubelet's */
		{"/system.slice/containerd.service/" POD ":cri-containerd:" ID, "", "", ID},
		{"/ecs/0f3a9c5d7e1b4286/" ID, "", "", ID},
		{"/default/" ID, "", "", ID},
		/* a node that is a container (kind), Docker in Docker */
		{"/system.slice/docker-" ID ".scope/kubelet.slice/kubelet-kubepods.slice/"
		 "cri-containerd-" ID2 ".scope",
		 "", "", ID2},
		{"/docker/" ID "/docker/" ID2, "", "", ID2},
		/* systemd in a container */
		{"/system.slice/docker-" ID ".scope/system.slice/nginx.service", "nginx.service",
		 "", ID},
		/* no ids: too short, not hex, upper case, within a word */
		{"/docker/5f7d3c2a9b8e", "", "", ""},
		{"/docker/g" ID, "", "", ""},
		{"/docker/x" ID, "", "", ""},
	};

	(void)state;
	CHECK(rows);
}

/* systemd-nspawn(1), systemd-machined.service(8), LXC (lxc.container.conf(5)), libvirt ("Control
 * Groups Resource Management") */
static void machines(void **state)
{
	static const struct row rows[] = {
		{"/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
		 "nginx.service", "web", ""},
		{"/machine.slice/systemd-nspawn@web.service/supervisor", "", "web", ""},
		{"/machine.slice/machine-web\\x2d1.scope", "", "web-1", ""},
		{"/machine.slice/machine-qemu\\x2d7\\x2dmail\\x2drelay.scope", "", "mail-relay",
		 ""},
		{"/machine.slice/machine-lxc\\x2d4711\\x2dweb.scope/libvirt", "", "web", ""},
		{"/lxc.payload.web/system.slice/nginx.service", "nginx.service", "web", ""},
		{"/lxc.payload/web", "", "web", ""},
		{"/lxc/web/init.scope", "", "web", ""},
		{"/lxc.monitor.web", "", "", ""},
		{"/lxc.payload.outer/docker/" ID, "", "", ID},
	};

	(void)state;
	CHECK(rows);
}

/* Whoever may make cgroups chooses their names. */
static void hostile(void **state)
{
	char path[5000] = "/", name[300] = "";
	struct workload w;

	(void)state;
	workload_place(&w, "/a\x01\xff\"\\/\n.service");
	assert_string_equal(w.cgroup, "/a\\x01\\xff\"\\x5c/\\x0a.service");
	assert_string_equal(w.unit, "\\x0a.service");
	memset(path + 1, 1, sizeof(path) - 2);
	path[sizeof(path) - 1] = '\0';
	workload_place(&w, path);
	assert_int_equal(strlen(w.cgroup), 253); /* "/" and 63 escapes: none is cut in two */
	memset(name, 'n', sizeof(name) - 1);
	snprintf(path, sizeof(path), "/x/%s.service", name);
	workload_place(&w, path);
	assert_int_equal(strlen(w.unit), sizeof(w.unit) - 1);
	snprintf(path, sizeof(path), "/machine-%s.scope", name);
	workload_place(&w, path);
	assert_int_equal(strlen(w.container), sizeof(w.container) - 1);
	snprintf(path, sizeof(path), "/x/machine-qemu\\x2d1\\x2dvm.scope");
	for (size_t cut = strlen(path); cut--;) {
		path[cut] = '\0';
		workload_place(&w, path);
		assert_string_equal(w.container, "");
	}
	workload_place(&w, NULL);
	assert_string_equal(w.cgroup, "");
	assert_string_equal(w.unit, "");
}

static void names(void **state)
{
	struct workload w = {.process = "nginx"};
	char name[64];

	(void)state;
	workload_name(&w, name, sizeof(name));
	assert_string_equal(name, "nginx");
	strcpy(w.container_id, ID); /* an id is no name */
	workload_name(&w, name, sizeof(name));
	assert_string_equal(name, "nginx");
	strcpy(w.unit, "web.service");
	workload_name(&w, name, sizeof(name));
	assert_string_equal(name, "web.service");
	strcpy(w.container, "c1");
	workload_name(&w, name, sizeof(name));
	assert_string_equal(name, "c1/web.service");
	w.unit[0] = '\0';
	workload_name(&w, name, sizeof(name));
	assert_string_equal(name, "c1");
	memset(&w, 0, sizeof(w));
	workload_name(&w, name, sizeof(name));
	assert_string_equal(name, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(units),     cmocka_unit_test(users),
		cmocka_unit_test(transient), cmocka_unit_test(containers),
		cmocka_unit_test(machines),  cmocka_unit_test(hostile),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Names of containers, from files as the runtimes write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "container.h"

#define ID "5f7d3c2a9b8e4d1c0f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e"
#define ID2 "aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999"
#define SECOND UINT64_C(1000000000)
#define DOCKER "/var/lib/docker/containers/" ID "/config.v2.json"
#define PODMAN "/var/lib/containers/storage/overlay-containers/containers.json"

static char root[] = "/tmp/alpnscope-XXXXXX";

static void make(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		mkdir(full, 0755);
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	strcpy(strrchr(root, '-'), "-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	*state = container_names_new(root);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	container_names_free(*state);
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static void docker(void **state)
{
	make(DOCKER, "{\"State\":{},\"ID\":\"" ID "\",\"Config\":{\"Labels\":{\"a\":\"b\"}},"
		     "\"Name\":\"/shop-web-1\"}");
	assert_string_equal(container_name_of(*state, ID, SECOND), "shop-web-1");
	assert_string_equal(container_name_of(*state, ID2, SECOND), "");
}

/* A task's own name ends with an id that every deployment changes. */
static void swarm(void **state)
{
	make(DOCKER, "{\"Config\":{\"Labels\":{\"com.docker.swarm.service.name\":\"shop_web\"}},"
		     "\"Name\":\"/shop_web.1.j9b2hxk1c0v5\"}");
	assert_string_equal(container_name_of(*state, ID, SECOND), "shop_web");
}

static void podman(void **state)
{
	make(PODMAN, "[{\"id\":\"" ID2 "\",\"names\":[\"other\"],\"image\":\"x\"},"
		     "{\"id\":\"" ID "\",\"names\":[\"web\",\"alias\"]}]");
	assert_string_equal(container_name_of(*state, ID, SECOND), "web");
}

static void kubernetes(void **state)
{
	make("/var/log/containers/other_kube-system_proxy-" ID2 ".log", "");
	make("/var/log/containers/web-7d4b9c6f5-x2k9q_shop_nginx-" ID ".log", "");
	assert_string_equal(container_name_of(*state, ID, SECOND), "shop/nginx");
	assert_string_equal(container_name_of(*state, ID2, SECOND), "kube-system/proxy");
}

/* The name that a kubelet has a runtime give. */
static void kubelet_name(void **state)
{
	make(PODMAN, "[{\"id\":\"" ID "\",\"names\":[\"k8s_nginx_web-7d4b9c6f5-x2k9q_shop_"
		     "2f8a7c3e-1b2d-4c5e-9f60-a1b2c3d4e5f6_0\"]}]");
	assert_string_equal(container_name_of(*state, ID, SECOND), "shop/nginx");
}

static void broken(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"7",
		"{\"Name\":7}",
		"{\"Name\":\"\"}",
		"{\"Name\":\"/\"}",
		"{\"Config\":[],\"Name\":null}",
	};

	make("/var/log/containers/strange-" ID ".log", "");
	make("/var/log/containers/_-" ID ".log", "");
	make(PODMAN, "[7,{},{\"id\":\"" ID "\"},{\"id\":\"" ID "\",\"names\":{}},"
		     "{\"id\":\"" ID "\",\"names\":[]}]");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		make(DOCKER, texts[i]);
		assert_string_equal(container_name_of(*state, ID, (i + 1) * SECOND), "");
	}
	make(DOCKER, "{\"Name\":\"/k8s_\\u0001\\\\\"}");
	assert_string_equal(container_name_of(*state, ID, 20 * SECOND), "k8s_\\x01\\x5c");
}

/* Looked for once a second, ten times; a name that was found stays. */
static void late(void **state)
{
	assert_string_equal(container_name_of(*state, ID, SECOND), "");
	make(DOCKER, "{\"Name\":\"/web\"}");
	assert_string_equal(container_name_of(*state, ID, SECOND + 1), "");
	assert_string_equal(container_name_of(*state, ID, 2 * SECOND), "web");
	make(DOCKER, "{\"Name\":\"/renamed\"}");
	assert_string_equal(container_name_of(*state, ID, 9 * SECOND), "web");
	for (uint64_t i = 1; i <= 10; i++)
		assert_string_equal(container_name_of(*state, ID2, i * SECOND), "");
	make(PODMAN, "[{\"id\":\"" ID2 "\",\"names\":[\"late\"]}]");
	assert_string_equal(container_name_of(*state, ID2, 99 * SECOND), "");
}

/* More containers than are remembered: the first are forgotten, and found again. */
static void many(void **state)
{
	char id[65];

	make(DOCKER, "{\"Name\":\"/web\"}");
	assert_string_equal(container_name_of(*state, ID, SECOND), "web");
	for (int i = 0; i < 2 * CONTAINER_NAMES_MAX; i++) {
		snprintf(id, sizeof(id), "%064x", i);
		assert_string_equal(container_name_of(*state, id, SECOND), "");
	}
	assert_string_equal(container_name_of(*state, ID, SECOND), "web");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(docker),	    TEST(swarm),  TEST(podman), TEST(kubernetes),
		TEST(kubelet_name), TEST(broken), TEST(late),	TEST(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

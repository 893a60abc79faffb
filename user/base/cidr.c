// SPDX-License-Identifier: GPL-2.0-only
#include "cidr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V4_BITS 96 /* of ::ffff:0:0/96, RFC 4291 section 2.5.5.2 */

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const uint8_t addr[16])
{
	return !memcmp(addr, v4_prefix, sizeof(v4_prefix));
}

static int refuse(const char *text, const char *why, char *error, size_t error_size)
{
	snprintf(error, error_size, "'%.60s' %s", text, why);
	return -EINVAL;
}

/* A number behind the '/', or -1. */
static int prefix_length(const char *text, int max)
{
	size_t digits = strspn(text, "0123456789");
	long n = digits && digits <= 3 && !text[digits] ? strtol(text, NULL, 10) : -1;

	return n <= max ? (int)n : -1;
}

static void keep_bits(uint8_t addr[16], unsigned int bits)
{
	for (unsigned int i = 0; i < 16; i++) {
		unsigned int left = bits > i * 8 ? bits - i * 8 : 0;

		if (left < 8)
			addr[i] &= (uint8_t)(0xff00 >> left);
	}
}

int cidr_parse(const char *text, struct cidr *out, char *error, size_t error_size)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN], network[CIDR_TEXT_MAX], hint[2 * CIDR_TEXT_MAX];
	struct cidr net = {{0}, 128};
	int bits = 128, v4;

	if (len >= sizeof(address))
		len = 0;
	memcpy(address, text, len);
	address[len] = '\0';
	memcpy(net.addr, v4_prefix, sizeof(v4_prefix));
	v4 = inet_pton(AF_INET, address, net.addr + 12) == 1;
	if (!v4 && inet_pton(AF_INET6, address, net.addr) != 1)
		return refuse(text,
			      "is no IP address or network; write 192.0.2.0/24 or 2001:db8::/32",
			      error, error_size);
	if (slash)
		bits = prefix_length(slash + 1, v4 ? 32 : 128) + (v4 ? V4_BITS : 0);
	if (bits < (v4 ? V4_BITS : 0))
		return refuse(text,
			      "has no length of a prefix behind its '/' (0 to 32, or to 128 in "
			      "IPv6)",
			      error, error_size);
	net.bits = (uint8_t)bits;
	*out = net;
	keep_bits(out->addr, net.bits);
	if (memcmp(out->addr, net.addr, sizeof(net.addr))) {
		cidr_text(out, network);
		snprintf(hint, sizeof(hint), "is an address in a network; the network is %s",
			 network);
		return refuse(text, hint, error, error_size);
	}
	return 0;
}

bool cidr_has(const struct cidr *net, const uint8_t addr[16])
{
	uint8_t of[16];

	if (is_v4(addr) && net->bits < V4_BITS)
		return false;
	memcpy(of, addr, sizeof(of));
	keep_bits(of, net->bits);
	return !memcmp(of, net->addr, sizeof(of));
}

void cidr_text(const struct cidr *net, char out[CIDR_TEXT_MAX])
{
	bool v4 = is_v4(net->addr) && net->bits >= V4_BITS;
	unsigned int bits = v4 ? net->bits - V4_BITS : net->bits;
	size_t len;

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? net->addr + 12 : net->addr, out, CIDR_TEXT_MAX);
	len = strlen(out);
	if (net->bits < 128)
		snprintf(out + len, CIDR_TEXT_MAX - len, "/%u", bits);
}

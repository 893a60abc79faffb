// SPDX-License-Identifier: GPL-2.0-only
#include "alpn.h"

#include <string.h>

/* IANA "TLS Application-Layer Protocol Negotiation (ALPN) Protocol IDs". */
static const char *const registered[] = {
	"http/0.9",
	"http/1.0",
	"http/1.1",
	"spdy/1",
	"spdy/2",
	"spdy/3",
	"stun.turn",
	"stun.nat-discovery",
	"h2",
	"h2c",
	"webrtc",
	"c-webrtc",
	"ftp",
	"imap",
	"pop3",
	"managesieve",
	"coap",
	"co",
	"xmpp-client",
	"xmpp-server",
	"acme-tls/1",
	"mqtt",
	"dot",
	"ntske/1",
	"sunrpc",
	"h3",
	"smb",
	"irc",
	"nntp",
	"nnsp",
	"doq",
	"sip/2",
	"tds/8.0",
	"dicom",
	"postgresql",
	"radius/1.0",
	"radius/1.1",
	"netperfmeter/control",
	"netperfmeter/data",
	"n-pamp/2",
	"EoQ",
	"snifq/1",
};

/* istio-* are what Istio's proxies say among themselves, grpc-exp is gRPC's own. */
static const struct {
	const char *name;
	enum alpn_family family;
} families[] = {
	{"h3", ALPN_HTTP3},
	{"h2", ALPN_HTTP2},
	{"h2c", ALPN_HTTP2},
	{"istio-h2", ALPN_HTTP2},
	{"grpc-exp", ALPN_HTTP2},
	{"http/1.1", ALPN_HTTP1_1},
	{"istio-http/1.1", ALPN_HTTP1_1},
	{"http/1.0", ALPN_HTTP1_0},
	{"istio-http/1.0", ALPN_HTTP1_0},
	{"http/0.9", ALPN_HTTP1_0},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void alpn_parse(const uint8_t *bytes, size_t len, struct alpn_list *list)
{
	struct alpn_name name;

	list->count = 0;
	while (len > 0 && list->count < ALPN_NAMES_MAX) {
		name.len = bytes[0];
		name.bytes = bytes + 1;
		if (name.len > len - 1)
			return;
		bytes += 1 + name.len;
		len -= 1 + name.len;
		if (!alpn_grease(&name))
			list->name[list->count++] = name;
	}
}

bool alpn_grease(const struct alpn_name *name)
{
	return name->len == 2 && name->bytes[0] == name->bytes[1] &&
	       (name->bytes[0] & 0x0f) == 0x0a;
}

bool alpn_contains(const struct alpn_list *list, const struct alpn_name *name)
{
	for (unsigned int i = 0; i < list->count; i++)
		if (alpn_equal(&list->name[i], name))
			return true;
	return false;
}

/* "h2-16" or "h3-29": one or two digits, as the drafts counted them. */
static bool is_draft_of(const struct alpn_name *name, const char *prefix)
{
	if (name->len < 4 || name->len > 5 || memcmp(name->bytes, prefix, 3) != 0)
		return false;
	for (unsigned int i = 3; i < name->len; i++)
		if (name->bytes[i] < '0' || name->bytes[i] > '9')
			return false;
	return true;
}

enum alpn_family alpn_family(const struct alpn_name *name)
{
	for (size_t i = 0; i < COUNT(families); i++)
		if (alpn_is(name, families[i].name))
			return families[i].family;
	if (is_draft_of(name, "h3-"))
		return ALPN_HTTP3;
	if (is_draft_of(name, "h2-"))
		return ALPN_HTTP2;
	return ALPN_OTHER;
}

const char *alpn_registered(const struct alpn_name *name)
{
	for (size_t i = 0; i < COUNT(registered); i++)
		if (alpn_is(name, registered[i]))
			return registered[i];
	return NULL;
}

/* An empty name may have no bytes at all, and memcmp() takes no NULL. */
static bool same(const struct alpn_name *name, const void *bytes, size_t len)
{
	return name->len == len && (len == 0 || memcmp(name->bytes, bytes, len) == 0);
}

bool alpn_equal(const struct alpn_name *a, const struct alpn_name *b)
{
	return same(a, b->bytes, b->len);
}

bool alpn_is(const struct alpn_name *name, const char *text)
{
	return same(name, text, strlen(text));
}

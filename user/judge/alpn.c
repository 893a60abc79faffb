// SPDX-License-Identifier: GPL-2.0-only
#include "alpn.h"

#include <string.h>

/* A name whose length need not be counted each time. */
struct known {
	const char *text;
	size_t len;
};

#define NAME(literal) literal, sizeof(literal) - 1

/* IANA "TLS Application-Layer Protocol Negotiation (ALPN) Protocol IDs". */
static const struct known registered[] = {
	{NAME("http/0.9")},
	{NAME("http/1.0")},
	{NAME("http/1.1")},
	{NAME("spdy/1")},
	{NAME("spdy/2")},
	{NAME("spdy/3")},
	{NAME("stun.turn")},
	{NAME("stun.nat-discovery")},
	{NAME("h2")},
	{NAME("h2c")},
	{NAME("webrtc")},
	{NAME("c-webrtc")},
	{NAME("ftp")},
	{NAME("imap")},
	{NAME("pop3")},
	{NAME("managesieve")},
	{NAME("coap")},
	{NAME("co")},
	{NAME("xmpp-client")},
	{NAME("xmpp-server")},
	{NAME("acme-tls/1")},
	{NAME("mqtt")},
	{NAME("dot")},
	{NAME("ntske/1")},
	{NAME("sunrpc")},
	{NAME("h3")},
	{NAME("smb")},
	{NAME("irc")},
	{NAME("nntp")},
	{NAME("nnsp")},
	{NAME("doq")},
	{NAME("sip/2")},
	{NAME("tds/8.0")},
	{NAME("dicom")},
	{NAME("postgresql")},
	{NAME("radius/1.0")},
	{NAME("radius/1.1")},
	{NAME("netperfmeter/control")},
	{NAME("netperfmeter/data")},
	{NAME("n-pamp/2")},
	{NAME("EoQ")},
	{NAME("snifq/1")},
};

/* istio-* are what Istio's proxies say among themselves, grpc-exp is gRPC's own. */
static const struct {
	struct known known;
	enum alpn_family family;
} families[] = {
	{{NAME("h3")}, ALPN_HTTP3},
	{{NAME("h2")}, ALPN_HTTP2},
	{{NAME("h2c")}, ALPN_HTTP2},
	{{NAME("istio-h2")}, ALPN_HTTP2},
	{{NAME("grpc-exp")}, ALPN_HTTP2},
	{{NAME("http/1.1")}, ALPN_HTTP1_1},
	{{NAME("istio-http/1.1")}, ALPN_HTTP1_1},
	{{NAME("http/1.0")}, ALPN_HTTP1_0},
	{{NAME("istio-http/1.0")}, ALPN_HTTP1_0},
	{{NAME("http/0.9")}, ALPN_HTTP1_0},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An empty name may have no bytes at all, and memcmp() takes no NULL. */
static bool same(const struct alpn_name *name, const void *bytes, size_t len)
{
	return name->len == len && (len == 0 || memcmp(name->bytes, bytes, len) == 0);
}

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
		if (same(name, families[i].known.text, families[i].known.len))
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
		if (same(name, registered[i].text, registered[i].len))
			return registered[i].text;
	return NULL;
}

bool alpn_equal(const struct alpn_name *a, const struct alpn_name *b)
{
	return same(a, b->bytes, b->len);
}

bool alpn_is(const struct alpn_name *name, const char *text)
{
	return same(name, text, strlen(text));
}

// SPDX-License-Identifier: GPL-2.0-only
#include "advice.h"

#include <ctype.h>
#include <string.h>

#define LINES 5

/*
 * What a program needs. PORT stands for the server's port. A version is named where it decides: a
 * process's name does not tell it.
 */
struct program {
	const char *name; /* what the process is called; digits may follow */
	const char *title;
	const char *line[LINES];
};

static const struct program servers[] = {
	{"nginx",
	 "nginx",
	 {"server { listen PORT ssl; http2 on; }      # 1.25.1 and later",
	  "server { listen PORT ssl http2; }          # before 1.25.1",
	  "nginx -t && nginx -s reload"}},
	{"apache",
	 "Apache httpd",
	 {"a2enmod http2        # Debian; else: LoadModule http2_module modules/mod_http2.so",
	  "Protocols h2 http/1.1    # in the server or <VirtualHost>; not with the MPM prefork",
	  "apachectl configtest && apachectl graceful"}},
	{"httpd",
	 "Apache httpd",
	 {"LoadModule http2_module modules/mod_http2.so",
	  "Protocols h2 http/1.1    # in the server or <VirtualHost>; not with the MPM prefork",
	  "httpd -t && httpd -k graceful"}},
	{"haproxy",
	 "haproxy",
	 {"bind :PORT ssl crt FILE alpn h2,http/1.1",
	  "# `alpn` is the default of 2.8 and later in mode http: look for no-alpn or another "
	  "alpn"}},
	{"node",
	 "Node.js",
	 {"http2.createSecureServer({ key, cert, allowHTTP1: true }, handler)",
	  "# https.createServer() chooses http/1.1 only"}},
	{"java",
	 "Java",
	 {"Tomcat: <UpgradeProtocol className=\"org.apache.coyote.http2.Http2Protocol\" /> in the "
	  "Connector",
	  "Spring Boot: server.http2.enabled=true", "Jetty: add the module http2 (start.jar)",
	  "# any: SSLParameters.setApplicationProtocols(new String[] {\"h2\", \"http/1.1\"})"}},
	{"caddy",
	 "Caddy",
	 {"{ servers { protocols h1 h2 h3 } }", "# that is the default: look for `protocols`, or "
						"`alpn` under `tls`, that leaves h2 out"}},
	{"traefik",
	 "Traefik",
	 {"tls: { options: { default: { alpnProtocols: [h2, http/1.1] } } }   # dynamic "
	  "configuration"}},
	{"envoy",
	 "Envoy",
	 {"common_tls_context: { alpn_protocols: [h2, http/1.1] }   # DownstreamTlsContext",
	  "# and codec_type: AUTO in the HttpConnectionManager"}},
	{"gunicorn",
	 "gunicorn",
	 {"gunicorn --http-protocols h2,h1   # 25.0 and later; workers gthread, gevent, ASGI",
	  "# before 25.0 it speaks no HTTP/2: put a proxy in front of it that does"}},
	{"uvicorn",
	 "uvicorn",
	 {"# it speaks no HTTP/2: serve the application by hypercorn, or put a proxy in front"}},
	{"hypercorn",
	 "hypercorn",
	 {"alpn_protocols = [\"h2\", \"http/1.1\"]   # the default; in the configuration file"}},
	{"python",
	 "Python",
	 {"context.set_alpn_protocols([\"h2\", \"http/1.1\"])   # ssl.SSLContext",
	  "# if the server speaks HTTP/2: hypercorn does, uvicorn and http.server do not"}},
	{"lighttpd",
	 "lighttpd",
	 {"server.feature-flags += ( \"server.h2proto\" => \"enable\" )",
	  "# that is the default of 1.4.59 and later: look for \"disable\""}},
	{"dotnet",
	 "Kestrel",
	 {"\"Kestrel\": { \"EndpointDefaults\": { \"Protocols\": \"Http1AndHttp2\" } }"}},
	{"hitch", "hitch", {"alpn-protos = \"h2, http/1.1\""}},
	{NULL,
	 "this server",
	 {"have its TLS library offer h2 before http/1.1 in its ALPN list:",
	  "Go: tls.Config{NextProtos: []string{\"h2\", \"http/1.1\"}}   # net/http does so by "
	  "itself",
	  "OpenSSL: SSL_CTX_set_alpn_select_cb()", "rustls: ServerConfig.alpn_protocols"}},
};

static const struct program clients[] = {
	{"curl",
	 "curl",
	 {"curl --http2   # its default; --http1.1, --http1.0 and --no-alpn take it away"}},
	{"nginx",
	 "nginx as a client",
	 {"proxy_http_version 2;   # 1.29.4 and later; proxy_pass offered no ALPN before",
	  "grpc_pass grpcs://BACKEND;   # speaks HTTP/2 in every version, and offers h2"}},
	{"haproxy",
	 "haproxy as a client",
	 {"server NAME ADDRESS:PORT ssl alpn h2,http/1.1   # with the `verify` that it has"}},
	{"apache",
	 "Apache httpd as a client",
	 {"a2enmod proxy_http2", "ProxyPass / h2://BACKEND/   # in place of https://"}},
	{"httpd",
	 "Apache httpd as a client",
	 {"LoadModule proxy_http2_module modules/mod_proxy_http2.so",
	  "ProxyPass / h2://BACKEND/   # in place of https://"}},
	{"envoy",
	 "Envoy as a client",
	 {"common_tls_context: { alpn_protocols: [h2] }   # UpstreamTlsContext",
	  "# and http2_protocol_options under HttpProtocolOptions of the cluster"}},
	{"node", "Node.js", {"http2.connect(url)   # https.request() offers http/1.1 only"}},
	{"java",
	 "Java",
	 {"HttpClient.newBuilder().version(HttpClient.Version.HTTP_2)   # java.net.http's default",
	  "# HttpURLConnection speaks HTTP/1.1 only"}},
	{"python",
	 "Python",
	 {"httpx.Client(http2=True)   # of httpx[http2]; requests offers http/1.1 only"}},
	{"traefik",
	 "Traefik as a client",
	 {"serversTransports: { NAME: { disableHTTP2: false } }   # the default"}},
	{NULL,
	 "this client",
	 {"have its TLS library offer h2 first in its ALPN list:",
	  "Go: http.Transport{ForceAttemptHTTP2: true}   # where TLSClientConfig or Dial is set",
	  "OpenSSL: SSL_set_alpn_protos()", "rustls: ClientConfig.alpn_protocols"}},
};

/* "python3.11", "nginx.service" and "gunicorn:" are such; "node_exporter" is not node. */
static bool is_program(const char *name, const char *program)
{
	size_t len = strlen(program);

	if (strncmp(name, program, len) != 0)
		return false;
	return !name[len] || strchr(".:/ @", name[len]) || isdigit((unsigned char)name[len]);
}

static const struct program *program_of(const char *name, bool server)
{
	const struct program *p = server ? servers : clients;

	while (p->name && !is_program(name, p->name))
		p++;
	return p;
}

const char *advice_title(const char *name, bool server)
{
	return program_of(name, server)->title;
}

void advice_fix(struct buf *out, const char *name, bool server, unsigned int port,
		const char *indent)
{
	const struct program *p = program_of(name, server);

	for (int i = 0; i < LINES && p->line[i]; i++) {
		const char *at = strstr(p->line[i], "PORT");

		if (at)
			buf_printf(out, "%s%.*s%u%s\n", indent, (int)(at - p->line[i]), p->line[i],
				   port, at + strlen("PORT"));
		else
			buf_printf(out, "%s%s\n", indent, p->line[i]);
	}
}

/* Letters, digits and a few more: nothing that a shell or an option parser takes for more. */
static bool is_plain(const char *text, const char *more)
{
	if (!isalnum((unsigned char)*text))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(more, *text))
			return false;
	return true;
}

bool advice_is_host(const char *sni)
{
	return is_plain(sni, "-._");
}

const char *advice_offer(const struct advice_target *target)
{
	return is_plain(target->offer, "-._/,") ? target->offer : "h2,http/1.1";
}

static const char *bracket(const struct advice_target *t, bool open)
{
	if (!strchr(t->address, ':'))
		return "";
	return open ? "[" : "]";
}

void advice_openssl(struct buf *out, const struct advice_target *t)
{
	buf_printf(out, "openssl s_client -connect %s%s%s:%u", bracket(t, true), t->address,
		   bracket(t, false), t->port);
	if (advice_is_host(t->sni))
		buf_printf(out, " -servername %s", t->sni);
	else
		buf_puts(out, " -noservername");
	buf_printf(out, " -alpn %s </dev/null 2>&1 | grep -i -e alpn -e 'application protocol'",
		   advice_offer(t));
}

bool advice_curl(struct buf *out, const struct advice_target *t)
{
	bool h2 = !strcmp(advice_offer(t), "h2,http/1.1");

	if (!h2 && strcmp(advice_offer(t), "http/1.1") != 0)
		return false;
	buf_printf(out, "curl -skv -o /dev/null --max-time 5 --noproxy '*' --http%s ",
		   h2 ? "2" : "1.1");
	if (advice_is_host(t->sni))
		buf_printf(out, "--resolve %s:%u:%s%s%s https://%s:%u/", t->sni, t->port,
			   bracket(t, true), t->address, bracket(t, false), t->sni, t->port);
	else
		buf_printf(out, "https://%s%s%s:%u/", bracket(t, true), t->address,
			   bracket(t, false), t->port);
	buf_puts(out, " 2>&1 | grep -i -e alpn -e 'application protocol'");
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * peer.c - a TLS client or server on OpenSSL, to be linked statically: with its symbols exported
 * --library can ask it, stripped it cannot. It speaks TLS 1.3 unless told otherwise.
 *
 *   peer client ADDRESS PORT NAME OFFER [VERSION]
 *                                           OFFER: names parted by commas, "" for none;
 *                                           VERSION: 1.2 or 1.3 and the ClientHello in two segments
 *   peer server PORT CERT KEY CHOICE [PAD]  CHOICE: best first, "" for no ALPN; PAD: that many
 *                                           bytes more in the first encrypted record
 *
 * Either prints a line for each handshake: the client's port and the chosen name, or "-".
 */
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

static unsigned char names[256];
static unsigned int names_len;
static size_t pad;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void read_names(char *list)
{
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		size_t len = strlen(name);

		names[names_len] = (unsigned char)len;
		memcpy(names + names_len + 1, name, len);
		names_len += 1 + (unsigned int)len;
	}
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		  const unsigned char *offer, unsigned int offer_len, void *arg)
{
	(void)ssl, (void)arg;
	return SSL_select_next_proto((unsigned char **)out, out_len, names, names_len, offer,
				     offer_len) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

/* The first record that may be padded holds EncryptedExtensions. */
static size_t padding(SSL *ssl, int type, size_t len, void *arg)
{
	size_t *left = SSL_get_app_data(ssl), now = left ? *left : 0;

	(void)type, (void)len, (void)arg;
	if (left)
		*left = 0;
	return now;
}

static void say(SSL *ssl, unsigned int port)
{
	const unsigned char *name = NULL;
	unsigned int len = 0;

	SSL_get0_alpn_selected(ssl, &name, &len);
	printf("%u %.*s\n", port, len ? (int)len : 1, len ? (const char *)name : "-");
	fflush(stdout);
}

static void serve(SSL_CTX *ctx, int listener)
{
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	int fd = accept(listener, (struct sockaddr *)&from, &len);
	size_t left = pad;
	char request[64];
	SSL *ssl;

	if (fd < 0)
		return;
	ssl = SSL_new(ctx);
	SSL_set_app_data(ssl, &left);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		say(ssl, ntohs(from.sin6_port));
		SSL_read(ssl, request, sizeof(request)); /* until the client leaves */
	}
	SSL_free(ssl);
	close(fd);
}

static void server(const char *port, const char *cert, const char *key)
{
	/* Of IPv4 as well. */
	struct sockaddr_in6 at = {.sin6_family = AF_INET6,
				  .sin6_port = htons((uint16_t)atoi(port))};
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int fd = socket(AF_INET6, SOCK_STREAM, 0), on = 1;

	if (SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		die("certificate");
	if (names_len)
		SSL_CTX_set_alpn_select_cb(ctx, choose, NULL);
	if (pad)
		SSL_CTX_set_record_padding_callback(ctx, padding);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 128))
		die("bind");
	for (;;)
		serve(ctx, fd);
}

static int join(const char *address, const char *port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = v4.sin_port};
	int is_v4 = inet_pton(AF_INET, address, &v4.sin_addr);
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);

	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		die(address);
	if (connect(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		    is_v4 ? sizeof(v4) : sizeof(v6)))
		die("connect");
	return fd;
}

static void set_version(SSL *ssl, const char *name)
{
	int version = strcmp(name, "1.2") ? TLS1_3_VERSION : TLS1_2_VERSION;

	SSL_set_min_proto_version(ssl, version);
	SSL_set_max_proto_version(ssl, version);
}

/* The ClientHello in two segments, the second when the first has long arrived. */
static void split_hello(SSL *ssl, int fd)
{
	BIO *out = BIO_new(BIO_s_mem());
	struct tcp_info info = {0};
	socklen_t info_len = sizeof(info);
	char hello[4096];
	int len, half, on = 1;

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	SSL_connect(ssl); /* wants to read the answer */
	len = BIO_read(out, hello, sizeof(hello));
	half = len / 2;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (len <= 0 || write(fd, hello, (size_t)half) != half || usleep(50000) ||
	    write(fd, hello + half, (size_t)(len - half)) != len - half)
		die("ClientHello");
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) || info.tcpi_data_segs_out < 2)
		die("two segments");
}

static int client(const char *address, const char *port, const char *name, const char *version)
{
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	int fd = join(address, port);

	getsockname(fd, (struct sockaddr *)&from, &len);
	if (*name)
		SSL_set_tlsext_host_name(ssl, name);
	if (names_len)
		SSL_set_alpn_protos(ssl, names, names_len);
	if (version) {
		set_version(ssl, version);
		split_hello(ssl, fd);
	}
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		die("handshake");
	say(ssl, ntohs(from.sin6_port));
	SSL_write(ssl, "GET / HTTP/1.0\r\n\r\n", 18);
	usleep(100000); /* for a server that says what it chose when it has a request */
	SSL_shutdown(ssl);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 6 && !strcmp(argv[1], "client")) {
		read_names(argv[5]);
		return client(argv[2], argv[3], argv[4], argv[6]); /* argv ends with NULL */
	}
	if (argc >= 6 && !strcmp(argv[1], "server")) {
		read_names(argv[5]);
		pad = argc > 6 ? (size_t)atoi(argv[6]) : 0;
		server(argv[2], argv[3], argv[4]);
	}
	return 2;
}

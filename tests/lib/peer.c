// SPDX-License-Identifier: GPL-2.0-only
/*
 * peer.c - a TLS 1.3 client or server on OpenSSL, to be linked statically: with its symbols
 * exported --library can ask it, stripped it cannot.
 *
 *   peer client ADDRESS PORT NAME OFFER     OFFER: names parted by commas, "" for none
 *   peer server PORT CERT KEY CHOICE [PAD]  CHOICE: best first, "" for no ALPN; PAD: that many
 *                                           bytes more in the first encrypted record
 *
 * Either prints a line for each handshake: the client's port and the chosen name, or "-".
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
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
	struct sockaddr_in from;
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
		say(ssl, ntohs(from.sin_port));
		SSL_read(ssl, request, sizeof(request)); /* until the client leaves */
	}
	SSL_free(ssl);
	close(fd);
}

static void server(const char *port, const char *cert, const char *key)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

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

static int client(const char *address, const char *port, const char *name)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	getsockname(fd, (struct sockaddr *)&from, &len);
	SSL_set_fd(ssl, fd);
	if (*name)
		SSL_set_tlsext_host_name(ssl, name);
	if (names_len)
		SSL_set_alpn_protos(ssl, names, names_len);
	if (SSL_connect(ssl) != 1)
		die("handshake");
	say(ssl, ntohs(from.sin_port));
	SSL_write(ssl, "GET / HTTP/1.0\r\n\r\n", 18);
	usleep(100000); /* for a server that says what it chose when it has a request */
	SSL_shutdown(ssl);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "client")) {
		read_names(argv[5]);
		return client(argv[2], argv[3], argv[4]);
	}
	if (argc >= 6 && !strcmp(argv[1], "server")) {
		read_names(argv[5]);
		pad = argc > 6 ? (size_t)atoi(argv[6]) : 0;
		server(argv[2], argv[3], argv[4]);
	}
	return 2;
}

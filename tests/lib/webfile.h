/* SPDX-License-Identifier: GPL-2.0-only */
/* webfile.h - a directory with what a web configuration names: a certificate and its key, another
 * key, rubbish; for cmocka tests. */
#ifndef ALPNSCOPE_WEBFILE_H
#define ALPNSCOPE_WEBFILE_H

#include <crypt.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bcrypt.h"

#define PAIR "tls_server_config:\n  cert_file: c.pem\n  key_file: k.pem\n"

static char dir[] = "/tmp/alpnscope-web-XXXXXX";
static char path[64];
static char hash[BCRYPT_LEN + 1]; /* of "secret" */
static char cert_pem[4096], key_pem[4096];

static void put(const char *name, const char *text)
{
	char file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* A self-signed certificate and its key, as PEM. */
static void make_pair(char cert[4096], char key[4096])
{
	gnutls_x509_privkey_t k;
	gnutls_x509_crt_t c;
	size_t cert_len = 4096, key_len = 4096;

	assert_int_equal(gnutls_x509_privkey_init(&k), 0);
	assert_int_equal(
		gnutls_x509_privkey_generate(k, GNUTLS_PK_ECDSA,
					     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	assert_int_equal(gnutls_x509_crt_init(&c), 0);
	gnutls_x509_crt_set_version(c, 3);
	gnutls_x509_crt_set_serial(c, "\1", 1);
	gnutls_x509_crt_set_dn(c, "CN=test", NULL);
	gnutls_x509_crt_set_activation_time(c, time(NULL) - 60);
	gnutls_x509_crt_set_expiration_time(c, time(NULL) + 3600);
	gnutls_x509_crt_set_key(c, k);
	assert_int_equal(gnutls_x509_crt_sign2(c, c, k, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export(c, GNUTLS_X509_FMT_PEM, cert, &cert_len), 0);
	assert_int_equal(gnutls_x509_privkey_export(k, GNUTLS_X509_FMT_PEM, key, &key_len), 0);
	gnutls_x509_crt_deinit(c);
	gnutls_x509_privkey_deinit(k);
}

static int group_setup(void **state)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	char other_cert[4096], other_key[4096];

	(void)state;
	if (!data || !mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/w.yml", dir);
	snprintf(hash, sizeof(hash), "%s",
		 crypt_r("secret", "$2b$05$abcdefghijklmnopqrstuu", data));
	free(data);
	make_pair(cert_pem, key_pem);
	make_pair(other_cert, other_key);
	put("c.pem", cert_pem);
	put("k.pem", key_pem);
	put("other.pem", other_key);
	put("rubbish", "no PEM\n");
	return 0;
}

static int group_teardown(void **state)
{
	static const char *const names[] = {"c.pem", "k.pem", "other.pem", "rubbish", "w.yml"};
	char file[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
		unlink(file);
	}
	return rmdir(dir);
}

#endif

/* Of several trusted issuers of one name, openvpn takes the one whose key has signed.
 *
 * OpenSSL looks for a certificate's issuer by name and, if both certificates have one, by key
 * identifier, and goes no further when the signature then turns out to be another's. MakeCert, for
 * one, writes no key identifiers. Here the signature is a part of the search: of the issuers that
 * have signed, the one that is valid longest; if none has, whatever OpenSSL takes, so that its
 * message stays the true one. OpenSSL verifies the chain afterwards as it always does.
 *
 * Loaded by LD_PRELOAD: openvpn calls SSL_CTX_get_cert_store() to fill the store. The prototypes
 * are OpenSSL's (3.0), so that it compiles without OpenSSL's headers.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

typedef struct asn1_time ASN1_TIME;
typedef struct evp_pkey EVP_PKEY;
typedef struct ssl_ctx SSL_CTX;
typedef struct stack STACK;
typedef struct x509 X509;
typedef struct x509_name X509_NAME;
typedef struct x509_store X509_STORE;
typedef struct x509_store_ctx X509_STORE_CTX;
typedef int get_issuer(X509 **issuer, X509_STORE_CTX *context, X509 *subject);

extern int ASN1_TIME_compare(const ASN1_TIME *, const ASN1_TIME *);
extern int ERR_pop_to_mark(void);
extern int ERR_set_mark(void);
extern int OPENSSL_sk_num(const STACK *);
extern void OPENSSL_sk_pop_free(STACK *, void (*)(void *));
extern void *OPENSSL_sk_value(const STACK *, int);
extern int X509_check_issued(X509 *issuer, X509 *subject);
extern void X509_free(void *);
extern const ASN1_TIME *X509_get0_notAfter(const X509 *);
extern EVP_PKEY *X509_get0_pubkey(const X509 *);
extern X509_NAME *X509_get_issuer_name(const X509 *);
extern int X509_up_ref(X509 *);
extern int X509_verify(X509 *, EVP_PKEY *);
extern STACK *X509_STORE_CTX_get1_certs(X509_STORE_CTX *, const X509_NAME *);
extern int X509_STORE_CTX_get1_issuer(X509 **issuer, X509_STORE_CTX *, X509 *subject);
extern void X509_STORE_set_get_issuer(X509_STORE *, get_issuer *);

X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *context);

static int has_signed(X509 *issuer, X509 *subject)
{
	EVP_PKEY *key;
	int verified;

	if (X509_check_issued(issuer, subject))
		return 0;
	key = X509_get0_pubkey(issuer);
	ERR_set_mark();
	verified = key && X509_verify(subject, key) == 1;
	ERR_pop_to_mark();
	return verified;
}

static int find_issuer(X509 **issuer, X509_STORE_CTX *context, X509 *subject)
{
	STACK *namesakes = X509_STORE_CTX_get1_certs(context, X509_get_issuer_name(subject));
	X509 *best = NULL, *one;
	int number;

	for (number = 0; number < OPENSSL_sk_num(namesakes); number++) {
		one = OPENSSL_sk_value(namesakes, number);
		if (has_signed(one, subject) &&
		    (!best ||
		     ASN1_TIME_compare(X509_get0_notAfter(one), X509_get0_notAfter(best)) > 0))
			best = one;
	}
	if (best && !X509_up_ref(best))
		best = NULL;
	OPENSSL_sk_pop_free(namesakes, X509_free);
	if (!best)
		return X509_STORE_CTX_get1_issuer(issuer, context, subject);
	*issuer = best;
	return 1;
}

X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *context)
{
	X509_STORE *(*original)(const SSL_CTX *);
	X509_STORE *store;

	*(void **)&original = dlsym(RTLD_NEXT, "SSL_CTX_get_cert_store");
	store = original(context);
	if (store)
		X509_STORE_set_get_issuer(store, find_issuer);
	return store;
}
